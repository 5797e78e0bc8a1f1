/** The version that is written into manifests; `build.mjs` puts package.json's in. */
export const TOOL_VERSION = process.env.HOLDFAST_VERSION ?? '0.0.0-source';
