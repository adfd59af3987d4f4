const PLACES = "h1, h2, h3, table, ul, ol, fieldset";

let focused: Element | undefined;
let before: Element[] = [];

/**
 * Keeps the place of those who use keys or a screen reader when what has the focus goes away, such as the button of a row that is
 * deleted: the focus moves to the last heading or list that begins before it, or else to the page.
 */
export function keepFocus(): void {
  document.addEventListener("focusin", ({ target }) => {
    if (!(target instanceof Element)) return;
    focused = target;
    const all = [...(target.closest("dialog, main")?.querySelectorAll(PLACES) ?? [])];
    before = all.filter((one) => one.compareDocumentPosition(target) & Node.DOCUMENT_POSITION_FOLLOWING).reverse();
  });
  new MutationObserver(() => {
    const { activeElement, body } = document;
    if (!focused || (activeElement !== body && activeElement !== focused)) return;
    if (focused.isConnected && !focused.matches(":disabled")) return;
    for (const place of [...before, document.querySelector("main")])
      if (place instanceof HTMLElement && place.isConnected) {
        if (place.tabIndex < 0) place.tabIndex = -1; // not in the order of the Tab key
        place.focus({ preventScroll: true });
        if (document.activeElement === place) return;
      }
  }).observe(document.body, { attributeFilter: ["disabled"], childList: true, subtree: true });
}
