/** What opens an encrypted repository. In memory only: never logged, stored or sent but to a worker of ours. */
export type KeyMaterial =
  /** The 32 bytes of a key file. */
  | { readonly kind: 'keyFile'; readonly bytes: Buffer }
  | { readonly kind: 'passphrase'; readonly bytes: Buffer }
  /** The master key of one repository, from somebody who opened a slot of it already. */
  | { readonly kind: 'master'; readonly repositoryId: string; readonly bytes: Buffer };

/** What a key slot can be made of. */
export type SlotMaterial = Exclude<KeyMaterial, { kind: 'master' }>;
