import type { ComponentChildren } from "preact";
import type { Edit } from "../lib/draft";
import { type Action, useAction } from "../lib/query";
import { Button } from "./basics";
import { Conflicts } from "./conflicts";
import { FormDialog } from "./dialog";
import { FailureNotice } from "./failure";

interface Props<D> {
  title: string;
  submit?: string;
  edit: Edit<D>;
  /** Saves what the draft has changed. */
  action: Action<[]>;
  onClose: () => void;
  children: ComponentChildren;
  ready?: boolean;
  problem?: string;
  shownFields?: string[];
  wide?: boolean;
  /** What fields are called in the form, if that is not what the draft calls them. */
  words?: Partial<Record<keyof D, string>>;
}

/** A dialog that edits an object. If somebody else has changed it meanwhile, it goes on with the newest state and the user's changes. */
export function EditDialog<D>({ submit = "Save", edit, action, children, ready = true, words, ...dialog }: Props<D>) {
  const { draft, readAgain } = edit;
  const again = useAction(readAgain);
  return (
    <FormDialog
      {...dialog}
      submit={submit}
      action={action}
      ready={ready && !again.busy && Object.keys(draft.changed).length > 0}
      failureActions={
        action.failure?.reason === "ETAG_MISMATCH" && (
          <Button busy={again.busy} onClick={async () => (await again.run()) && action.clear()}>
            Read it again, and keep my changes
          </Button>
        )
      }
    >
      <Conflicts fields={draft.conflicts} words={words} />
      {children}
      <FailureNotice failure={again.failure} />
    </FormDialog>
  );
}
