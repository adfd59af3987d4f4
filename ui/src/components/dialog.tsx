import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import type { Action } from "../lib/query";
import { Button } from "./basics";
import { FailureNotice } from "./failure";
import { layers, Toasts } from "./toast";

interface DialogProps {
  title: string;
  /** Without it, only a button in the footer closes the dialog. */
  onClose?: () => void;
  children: ComponentChildren;
  /** Buttons at the bottom. */
  footer?: ComponentChildren;
  wide?: boolean;
}

/** A dialog over the page. It is open as long as it is rendered; Escape and its cross call `onClose`. */
export function Dialog({ title, onClose, children, footer, wide }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  // Before the page is painted, so that keys that follow at once are not lost.
  useLayoutEffect(() => {
    element.current?.showModal();
    layers.set([...layers.get(), element]);
    return () => layers.set(layers.get().filter((layer) => layer !== element));
  }, []);
  return (
    <dialog
      ref={element}
      class={wide ? "wide" : ""}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
      onClose={() => element.current?.showModal()} // browsers close it at a second Escape, although the first was prevented
    >
      <header>
        <h2 id={id}>{title}</h2>
        {onClose && <Button kind="quiet" icon="close" aria-label="Close" onClick={onClose} />}
      </header>
      <div class="dialog-body">{children}</div>
      {footer && <footer>{footer}</footer>}
      <Toasts layer={element} />
    </dialog>
  );
}

export interface FormDialogProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  action: Action<[]>;
  submit: string;
  danger?: boolean;
  wide?: boolean;
  /** Whether everything that is required is there. */
  ready?: boolean;
  /** What is wrong with what was typed, as far as the page knows; empty if nothing is. */
  problem?: string;
  /** Paths of fields whose failures are shown at the fields, and not again above the buttons. */
  shownFields?: string[];
  /** Beside the failure, for example a button that reads the object again. */
  failureActions?: ComponentChildren;
}

/** A dialog with a form. It closes itself after the action has succeeded. */
export function FormDialog({
  title,
  onClose,
  children,
  action,
  submit,
  danger,
  wide,
  ready = true,
  problem,
  shownFields = [],
  failureActions,
}: FormDialogProps) {
  const id = useId();
  const { failure } = action;
  const others =
    failure && Object.fromEntries(Object.entries(failure.fields).filter(([path]) => !shownFields.includes(path)));
  const allShown = failure && Object.keys(failure.fields).length > 0 && Object.keys(others ?? {}).length === 0;
  return (
    <Dialog
      title={title}
      onClose={onClose}
      wide={wide}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind={danger ? "danger" : "primary"}
            submit
            form={id}
            busy={action.busy}
            disabled={!ready || !!problem}
          >
            {submit}
          </Button>
        </>
      }
    >
      <form
        id={id}
        class="stack"
        noValidate
        onSubmit={async (event) => {
          event.preventDefault();
          if (await action.run()) onClose();
        }}
      >
        {children}
        {problem && <p class="field-error">{problem}</p>}
        {failure && !allShown && (
          <FailureNotice failure={{ ...failure, fields: others ?? {} }} actions={failureActions} />
        )}
      </form>
    </Dialog>
  );
}
