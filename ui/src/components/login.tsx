import { useState } from "preact/hooks";
import { loginWanted, signIn } from "../lib/session";
import { Button } from "./basics";
import { Dialog } from "./dialog";
import { TextField } from "./fields";

/** Asks for a token. The page stays below it, so that nothing that was typed there is lost. */
export function LoginDialog({ why }: { why: string }) {
  const [text, setText] = useState("");
  return (
    <Dialog
      title="Sign in"
      onClose={() => loginWanted.set("")}
      footer={
        <Button kind="primary" submit form="login" disabled={!text.trim()}>
          Sign in
        </Button>
      }
    >
      <form
        id="login"
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          signIn(text.trim().replace(/^bearer\s+/i, ""));
        }}
      >
        <p>{why}</p>
        <TextField
          label="Token"
          type="password"
          mono
          value={text}
          onInput={setText}
          autofocus
          hint="An API token of the project, or a token of your identity provider. It is kept in this tab only."
        />
      </form>
    </Dialog>
  );
}
