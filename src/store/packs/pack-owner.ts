import type { PackOwner } from '../format/pack-layout.ts';
import type { Layout } from '../layout.ts';

export const packOwner = ({ keys }: Layout, repositoryId: string): PackOwner => ({
  repositoryId,
  packKey: keys?.packs ?? null,
});
