import DOMPurify from "dompurify";
import { Marked, type Tokens } from "marked";
import { useLayoutEffect, useRef } from "preact/hooks";

const marked = new Marked({
  gfm: true,
  renderer: {
    // The content security policy loads no pictures from elsewhere, so they become links.
    image: ({ href, text }: Tokens.Image) => `<a href="${escaped(href)}">${escaped(text || href)}</a>`,
    // The page has a title of its own.
    heading({ tokens, depth }: Tokens.Heading) {
      const tag = `h${Math.min(depth + 1, 6)}`;
      return `<${tag}>${this.parser.parseInline(tokens)}</${tag}>`;
    },
    // HTML is shown as it was written.
    html: ({ text }: Tokens.HTML | Tokens.Tag) => escaped(text),
  },
});

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

const ALLOWED = {
  ALLOWED_TAGS: [
    ..."a blockquote br code del em h2 h3 h4 h5 h6 hr input li ol p pre strong table tbody td th thead tr ul".split(
      " ",
    ),
  ],
  ALLOWED_ATTR: ["href", "align", "start", "type", "checked", "disabled"],
  ADD_URI_SAFE_ATTR: ["align", "start", "type", "checked", "disabled"],
  ALLOWED_URI_REGEXP: /^(https?:|mailto:|#)/i,
  RETURN_DOM_FRAGMENT: true as const,
};

/** A text in Markdown. It was written by others: whatever could do something is removed. */
export function Markdown({ text }: { text: string }) {
  const element = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const html = marked.parse(text, { async: false });
    const content = DOMPurify.sanitize(html, ALLOWED);
    for (const link of content.querySelectorAll("a")) {
      link.rel = "noopener noreferrer nofollow";
      link.target = "_blank";
    }
    for (const box of content.querySelectorAll("input")) box.disabled = true;
    for (const table of content.querySelectorAll<HTMLElement>("table, pre")) table.tabIndex = 0; // they scroll
    element.current?.replaceChildren(content);
  }, [text]);
  return <div class="markdown" ref={element} />;
}
