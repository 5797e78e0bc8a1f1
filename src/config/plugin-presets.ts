/** Plugins that need no more than their name. */
export const PLUGIN_PRESETS = Object.freeze({
  beads: { command: 'bd backup --force', include: ['.beads/backup/*'] },
  'beads-rust': { command: 'beads backup --force', include: ['.beads/backup/*'] },
});

export type PluginPresetName = keyof typeof PLUGIN_PRESETS;
