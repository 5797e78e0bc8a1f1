/** The version that a change was asked for on top of, under the name that every call has for it. */
export function versionOf({ expectVersion }: { readonly expectVersion?: number }) {
  return expectVersion === undefined ? {} : { expectVersion };
}
