import { render } from "preact";
import { useEffect } from "preact/hooks";
import { Empty } from "./components/basics";
import { ErrorBoundary } from "./components/failure";
import { LoginHandedOver } from "./components/login";
import { PageHead } from "./components/page";
import { Shell } from "./components/shell";
import { loadCaller } from "./lib/caller";
import { keepFocus } from "./lib/focus";
import { finish, handOver, loginAnswer } from "./lib/oidc";
import { href, isInProject, rememberProject, useProject } from "./lib/project";
import { Link, matchPath, navigate, useLocation } from "./lib/router";
import { epoch, loadConfig } from "./lib/session";
import { useStore } from "./lib/store";
import { applyTheme } from "./lib/theme";
import { type Route, routes } from "./routes";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/components.css";
import "./styles/tables.css";
import "./styles/forms.css";

function App() {
  const { path } = useLocation();
  const project = useProject();
  const time = useStore(epoch);

  useEffect(() => {
    rememberProject(project);
    void loadCaller();
  }, [project, time]);

  // Addresses without a project are those that people type or link to: /ui/models.
  const start = path === "/" || path.replace(/\/$/, "") === `/p/${project}`;
  const found = findRoute(path);
  const elsewhere = !found && !path.startsWith("/p/") && findRoute(href(path, project));
  useEffect(() => {
    if (start) navigate(href("/models", project), { replace: true });
    else if (elsewhere) navigate(href(path, project) + window.location.search, { replace: true });
  }, [start, elsewhere, path, project]);

  if (start || elsewhere) return <Shell route={undefined}>{null}</Shell>;
  const Page = found?.route.page;
  return (
    <Shell route={found?.route}>
      {/* With another key, nothing of the former page is left. */}
      <ErrorBoundary key={`${project} ${path}`}>
        {Page && found ? <Page params={found.params} /> : <NotFound />}
      </ErrorBoundary>
    </Shell>
  );
}

function findRoute(path: string): { route: Route; params: Record<string, string> } | undefined {
  for (const route of routes) {
    const params = matchPath(route.outsideProject ? route.path : `/p/:project${route.path}`, path);
    if (params) return { route, params };
  }
  return undefined;
}

function NotFound() {
  return (
    <>
      <PageHead title="There is no such page" />
      <Empty
        title="Nothing is at this address"
        actions={
          <Link class="button primary" to={href("/models")}>
            Go to the models
          </Link>
        }
      >
        <p>The address may be mistyped, or from another release of the registry.</p>
      </Empty>
    </>
  );
}

async function start(root: HTMLElement): Promise<void> {
  applyTheme();
  keepFocus();
  const answer = loginAnswer();
  if (answer && handOver(answer)) return render(<LoginHandedOver />, root);
  const loaded = loadConfig();
  if (answer || !isInProject()) await loaded; // it names the issuer, and the project to begin with
  if (answer) await finish(answer);
  render(<App />, root);
}

const root = document.getElementById("app");
if (root) void start(root);
