import { createHash } from "node:crypto";
import { defineConfig, type Plugin } from "vite";

/** The gateway serves fixed names, cached for ever. So the page asks for each by the hash of its content. */
function contentHashes(): Plugin {
  return {
    name: "content-hashes",
    apply: "build",
    enforce: "post",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        const page = bundle["index.html"];
        if (page?.type !== "asset") throw new Error("there is no index.html");
        let html = String(page.source);
        for (const [name, file] of Object.entries(bundle)) {
          if (file === page) continue;
          const content = file.type === "chunk" ? file.code : file.source;
          const hash = createHash("sha256").update(content).digest("hex").slice(0, 12);
          html = html.replaceAll(`/ui/${name}"`, `/ui/${name}?v=${hash}"`);
        }
        page.source = html;
      },
    },
  };
}

/** Where the service runs with which `npm run dev` and `npm run preview` show the pages. */
const registry = process.env.REGISTRY_URL ?? "http://127.0.0.1:8080";

const toRegistry = {
  "^/(modelregistry\\.v1\\.|api/|healthz|openapi\\.json|docs)": registry,
  "/ui/config.json": registry,
};

export default defineConfig({
  base: "/ui/",
  plugins: [contentHashes()],
  build: {
    outDir: process.env.UI_OUT_DIR ?? "../gateway/web/ui",
    emptyOutDir: false,
    target: "es2023",
    modulePreload: false,
    cssTarget: ["chrome123", "firefox128", "safari17.5"], // light-dark() stays as it is
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    reportCompressedSize: true,
    chunkSizeWarningLimit: 600, // tests/ui/test_build.py has the limit that counts
    rollupOptions: {
      output: {
        codeSplitting: false,
        entryFileNames: "app.js",
        assetFileNames: "app.[ext]",
      },
    },
  },
  server: { proxy: toRegistry },
  preview: { proxy: toRegistry },
});
