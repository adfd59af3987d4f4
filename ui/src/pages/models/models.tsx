import { Empty, StatusBadge, Time } from "../../components/basics";
import { PageHead } from "../../components/page";
import { SearchBox } from "../../components/search";
import { DataTable } from "../../components/table";
import { api } from "../../lib/api";
import { href, useProject } from "../../lib/project";
import { usePages } from "../../lib/query";
import { setQuery, useLocation } from "../../lib/router";

export function ModelsPage() {
  const project = useProject();
  const { query } = useLocation();
  const search = query.get("q") ?? "";
  const orderBy = query.get("order") ?? "created_at desc";
  const pages = usePages(`models ${project} ${search} ${orderBy}`, async (pageToken, signal) => {
    const answer = await api.models.listRegisteredModels({ search, orderBy, pageSize: 100, pageToken }, { signal });
    return { rows: answer.registeredModels, nextPageToken: answer.nextPageToken };
  });
  return (
    <>
      <PageHead title="Models" />
      <div class="toolbar">
        <SearchBox label="Search models" value={search} onChange={(q) => setQuery({ q })} />
      </div>
      <DataTable
        label="Models"
        unit="model"
        pages={pages}
        rowKey={(model) => model.id}
        rowLink={(model) => href(`/models/${model.id}`)}
        orderBy={orderBy}
        onOrder={(order) => setQuery({ order })}
        columns={[
          { title: "Name", cell: (model) => model.name, orderBy: "name" },
          { title: "State", cell: (model) => <StatusBadge status={model.state} /> },
          { title: "Created", cell: (model) => <Time at={model.createdAt} />, orderBy: "created_at", hideOn: "phone" },
        ]}
        empty={<Empty title="There are no models" />}
      />
    </>
  );
}
