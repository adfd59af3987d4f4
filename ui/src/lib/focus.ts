const PLACES = "h1, h2, h3, table, ul, ol, fieldset";

/** What had the focus last in a dialog or in the page below. */
interface Focused {
  layer: Element | null;
  element: Element;
  /** The headings and lists that begin before it, the nearest first. */
  before: Element[];
}

/** That of the page, and those of the dialogs over it, the topmost last. */
let trail: Focused[] = [];

/**
 * Keeps the place of those who use keys or a screen reader when what has the focus goes away, such as a dialog, or the button of a
 * row that is deleted. The focus moves to the last heading or list that begins before it. After a dialog, it moves to what opened
 * the dialog, or if that is gone too, to what is before that. If nothing of all this is left, it moves to the page.
 */
export function keepFocus(): void {
  document.addEventListener("focusin", ({ target }) => {
    if (!(target instanceof Element)) return;
    const layer = target.closest("dialog, main");
    const all = [...(layer?.querySelectorAll(PLACES) ?? [])];
    const before = all
      .filter((one) => one.compareDocumentPosition(target) & Node.DOCUMENT_POSITION_FOLLOWING)
      .reverse();
    const known = trail.findIndex((one) => one.layer === layer);
    const below = layer?.matches("dialog") ? trail.slice(0, known < 0 ? undefined : known) : [];
    trail = [...below, { layer, element: target, before }];
  });
  new MutationObserver(() => {
    const { activeElement, body } = document;
    const focused = trail.at(-1)?.element;
    if (!focused || (activeElement !== body && activeElement !== focused)) return;
    if (canHaveFocus(focused)) return;
    const places = trail.toReversed().flatMap(({ element, before }) => [element, ...before]);
    for (const place of [...places, document.querySelector("main")])
      if (place instanceof HTMLElement && canHaveFocus(place)) {
        if (place.tabIndex < 0) place.tabIndex = -1; // not in the order of the Tab key
        place.focus({ preventScroll: true });
        if (document.activeElement === place) return;
      }
  }).observe(document.body, { attributeFilter: ["disabled"], childList: true, subtree: true });
}

function canHaveFocus(element: Element): boolean {
  return element.isConnected && !element.matches(":disabled");
}
