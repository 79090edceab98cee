import { cpSync } from "node:fs";
import { resolve } from "node:path";

// LiteRT.js loads its WebAssembly by name at run time, so no bundler sees these files.
const RUNTIME = "node_modules/@litertjs/core/wasm";
const VARIANTS = ["litert_wasm_internal", "litert_wasm_compat_internal", "litert_wasm_threaded_internal"];

export default {
  base: "./", // the page works in any folder of a host
  build: { target: "es2022", modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
  plugins: [
    {
      name: "copy-litert-runtime",
      writeBundle({ dir }) {
        for (const file of VARIANTS.flatMap((name) => [`${name}.js`, `${name}.wasm`])) {
          cpSync(`${RUNTIME}/${file}`, resolve(dir, "wasm", file));
        }
      },
    },
  ],
};
