import { useState } from "preact/hooks";
import { logIn, loginFailure } from "../lib/oidc";
import { closeLogin, config, signIn, token } from "../lib/session";
import { useStore } from "../lib/store";
import { Button } from "./basics";
import { Dialog } from "./dialog";
import { TextField } from "./fields";
import { Icon } from "./icon";

/** Asks who the user is. The page stays below it, so that nothing that was typed there is lost. */
export function LoginDialog({ why }: { why: string }) {
  const { oidc } = useStore(config);
  const failure = useStore(loginFailure);
  const [busy, setBusy] = useState(false);
  const close = () => {
    loginFailure.set("");
    closeLogin();
  };
  const atIssuer = async () => {
    setBusy(true);
    await logIn(token.get() !== "");
    setBusy(false);
  };
  return (
    <Dialog title="Sign in" onClose={close}>
      <div class="stack">
        <p>{why}</p>
        {failure && (
          <div class="notice red" role="alert">
            <Icon name="alert" />
            <p>{failure}</p>
          </div>
        )}
        {oidc ? (
          <>
            <Button kind="primary" icon="user" busy={busy} onClick={atIssuer} autofocus>
              Sign in with {new URL(oidc.issuer).host}
            </Button>
            <details>
              <summary>Use a token instead</summary>
              <TokenForm />
            </details>
          </>
        ) : (
          <TokenForm autofocus />
        )}
      </div>
    </Dialog>
  );
}

function TokenForm({ autofocus }: { autofocus?: boolean }) {
  const [text, setText] = useState("");
  const sent = text.trim().replace(/^bearer\s+/i, "");
  return (
    <form
      class="stack login-token"
      onSubmit={(event) => {
        event.preventDefault();
        if (sent) signIn(sent);
      }}
    >
      <TextField
        label="Token"
        type="password"
        mono
        value={text}
        onInput={setText}
        autofocus={autofocus}
        hint="An API token of the project, or a token of your identity provider. It is kept in this tab only."
      />
      <div class="row">
        <Button kind={autofocus ? "primary" : "plain"} submit disabled={!sent}>
          Sign in with the token
        </Button>
      </div>
    </form>
  );
}

/** What a window says that was opened for a login, if it cannot close itself. */
export function LoginHandedOver() {
  return (
    <main class="handed-over">
      <h1>You can close this window</h1>
      <p>The login goes on in the window from which you came.</p>
    </main>
  );
}
