import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Role } from "../gen/modelregistry/v1/access_pb";
import { caller } from "../lib/caller";
import { away } from "../lib/health";
import { SHORTCUTS, useKeys } from "../lib/keys";
import { href } from "../lib/project";
import { Link, navigate, useLocation } from "../lib/router";
import { config, loginWanted } from "../lib/session";
import { useStore } from "../lib/store";
import { setTheme, type Theme, theme } from "../lib/theme";
import { type NavEntry, type Route, routes } from "../routes";
import { Account } from "./account";
import { Button } from "./basics";
import { Dialog } from "./dialog";
import { Icon, type IconName } from "./icon";
import { LoginDialog } from "./login";
import { ProjectPicker } from "./project-picker";
import { focusSearch } from "./search";
import { Toasts } from "./toast";

/** The frame of all pages: sidebar, banner, dialogs that any page may need. */
export function Shell({ route, children }: { route: Route | undefined; children: ComponentChildren }) {
  const [menu, setMenu] = useState(false);
  const [help, setHelp] = useState(false);
  const [picking, setPicking] = useState(false);
  const { path } = useLocation();
  const login = useStore(loginWanted);
  const main = useRef<HTMLElement>(null);
  const opened = useRef(path);
  const focusMain = () => main.current?.focus({ preventScroll: true });
  const pick = () => {
    setMenu(false);
    focusMain(); // it may be the page that is open
  };
  const closeMenu = () => {
    setMenu(false);
    document.querySelector<HTMLElement>(".topbar button")?.focus(); // what has the focus may be about to hide
  };

  useEffect(() => {
    setMenu(false);
    if (opened.current === path) return;
    opened.current = path;
    focusMain(); // so that a screen reader begins with the new page
  }, [path]);

  const go: Record<string, () => void> = {};
  for (const { path, nav, outsideProject } of routes)
    if (nav?.key) go[`g ${nav.key}`] = () => navigate(outsideProject ? path : href(path));
  useKeys({
    ...go,
    "/": focusSearch,
    "?": () => setHelp(true),
    ...(menu && { Escape: closeMenu }),
    n: () => document.querySelector<HTMLElement>("[data-new]")?.click(),
  });

  return (
    <>
      {/* biome-ignore lint/a11y/useValidAnchor: the address must not change, or going back would not leave the page */}
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
      >
        Skip to the content
      </a>
      <header class="topbar">
        <Button
          kind="quiet"
          icon={menu ? "close" : "menu"}
          aria-label="Menu"
          aria-expanded={menu}
          aria-controls="sidebar"
          onClick={() => setMenu(!menu)}
        />
        <Brand />
      </header>
      <aside id="sidebar" aria-label="Sidebar" class={`sidebar ${menu ? "open" : ""}`}>
        <Brand />
        <ProjectPicker open={picking} setOpen={setPicking} />
        <Navigation current={route} onPick={pick} />
        <Footer onHelp={() => setHelp(true)} onSwitch={() => setPicking(true)} />
      </aside>
      {menu && <button type="button" class="backdrop" aria-label="Close the menu" onClick={closeMenu} />}
      <main id="main" ref={main} tabIndex={-1}>
        <Banner />
        {children}
      </main>
      <Toasts />
      {help && <Help onClose={() => setHelp(false)} />}
      {login && <LoginDialog why={login} />}
    </>
  );
}

function Brand() {
  return (
    <Link class="brand" to={href("/models")}>
      <span class="brand-mark">
        <Icon name="models" />
      </span>
      Model registry
    </Link>
  );
}

function Navigation({ current, onPick }: { current: Route | undefined; onPick: () => void }) {
  const who = useStore(caller);
  const groups = new Map<string, [Route, NavEntry][]>();
  for (const route of routes) {
    if (!route.nav || (who && route.nav.role !== undefined && who.role < route.nav.role)) continue;
    groups.set(route.nav.group, [...(groups.get(route.nav.group) ?? []), [route, route.nav]]);
  }
  const area = (path: string) => path.split("/")[1];
  return (
    <nav aria-label="Pages" class="nav">
      {[...groups].map(([group, entries]) => (
        <div key={group}>
          <h2>{group}</h2>
          <ul>
            {entries.map(([{ path, outsideProject }, { label, icon }]) => (
              <li key={path}>
                <Link
                  to={outsideProject ? path : href(path)}
                  onClick={onPick}
                  aria-current={current && area(current.path) === area(path) ? "page" : undefined}
                >
                  <Icon name={icon} />
                  {label}
                </Link>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </nav>
  );
}

const THEMES: [Theme, IconName, string][] = [
  ["system", "system", "As the system"],
  ["light", "sun", "Light"],
  ["dark", "moon", "Dark"],
];

function Footer({ onHelp, onSwitch }: { onHelp: () => void; onSwitch: () => void }) {
  const chosen = useStore(theme);
  const { version } = useStore(config);
  return (
    <div class="sidebar-foot">
      <Account onSwitch={onSwitch} />
      <div class="row">
        <fieldset class="switch" aria-label="Colours">
          {THEMES.map(([key, icon, text]) => (
            <button
              key={key}
              type="button"
              aria-label={text}
              title={text}
              aria-pressed={chosen === key}
              onClick={() => setTheme(key)}
            >
              <Icon name={icon} />
            </button>
          ))}
        </fieldset>
        <Button kind="quiet" icon="keyboard" aria-label="Keys" title="Keys (?)" onClick={onHelp} />
        {version && <small class="faint">{version}</small>}
      </div>
    </div>
  );
}

function Banner() {
  const why = useStore(away);
  const role = useStore(caller)?.role;
  return (
    <div role="status" aria-live="polite">
      {role === Role.UNSPECIFIED && (
        <div class="notice amber banner">
          <Icon name="lock" />
          <p>
            You have no role in this project, so it looks empty. Ask an admin of the project for one, or switch to
            another project.
          </p>
        </div>
      )}
      {why && (
        <div class="notice amber banner">
          <span class="spinner" />
          <p>{why} The page tries again by itself; what you see may be old.</p>
        </div>
      )}
    </div>
  );
}

function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <table class="keys">
        <tbody>
          {SHORTCUTS.map(([keys, does]) => (
            <tr key={keys}>
              <td>
                {keys.split(" ").map((key) => (
                  <kbd key={key}>{key}</kbd>
                ))}
              </td>
              <td>{does}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Dialog>
  );
}
