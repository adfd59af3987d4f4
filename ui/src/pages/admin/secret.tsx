import type { ComponentChildren } from "preact";
import { Button, copyText } from "../../components/basics";
import { Dialog } from "../../components/dialog";

interface Props {
  title: string;
  label: string;
  secret: string;
  onClose: () => void;
  children: ComponentChildren;
}

/** Shows a secret once. Only its button closes the dialog, so that Escape does not lose what cannot be shown again. */
export function SecretDialog({ title, label, secret, onClose, children }: Props) {
  return (
    <Dialog
      title={title}
      footer={
        <Button kind="primary" onClick={onClose}>
          I have copied it
        </Button>
      }
    >
      <div class="stack">
        {children}
        <div class="secret">
          <input
            class="mono"
            aria-label={label}
            readOnly
            value={secret}
            onFocus={(event) => event.currentTarget.select()}
          />
          <Button icon="copy" onClick={() => copyText(secret, `The ${label.toLowerCase()}`)} autofocus>
            Copy
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
