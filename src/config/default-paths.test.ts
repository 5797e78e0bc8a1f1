import { describe, expect, it } from 'vitest';
import { defaultPaths } from './default-paths.ts';

describe('defaultPaths()', () => {
  it('root has the system places', () => {
    expect(defaultPaths({ XDG_STATE_HOME: '/x', XDG_RUNTIME_DIR: '/y' }, 0)).toEqual({
      configFile: '/etc/holdfast/holdfast.yaml',
      stateDirectory: '/var/lib/holdfast',
      repositoryDirectory: '/var/lib/holdfast/repository',
      socketPath: '/run/holdfast/holdfast.sock',
    });
  });

  it('a user has the XDG places', () => {
    const env = {
      HOME: '/home/a',
      XDG_STATE_HOME: '/s',
      XDG_RUNTIME_DIR: '/r',
      XDG_CONFIG_HOME: '/c',
    };
    expect(defaultPaths(env, 1000)).toEqual({
      configFile: '/c/holdfast/holdfast.yaml',
      stateDirectory: '/s/holdfast',
      repositoryDirectory: '/s/holdfast/repository',
      socketPath: '/r/holdfast/holdfast.sock',
    });
  });

  it('without XDG variables, or with relative ones, they are below the home; the socket is in the state directory', () => {
    for (const env of [
      { HOME: '/home/a' },
      { HOME: '/home/a', XDG_STATE_HOME: 'x', XDG_RUNTIME_DIR: '', XDG_CONFIG_HOME: '.' },
    ]) {
      expect(defaultPaths(env, 1000)).toEqual({
        configFile: '/home/a/.config/holdfast/holdfast.yaml',
        stateDirectory: '/home/a/.local/state/holdfast',
        repositoryDirectory: '/home/a/.local/state/holdfast/repository',
        socketPath: '/home/a/.local/state/holdfast/holdfast.sock',
      });
    }
  });

  it('the directories that systemd made are used, the first of several', () => {
    const env = { STATE_DIRECTORY: '/var/lib/h:/var/lib/i', RUNTIME_DIRECTORY: '/run/h' };
    expect(defaultPaths(env, 1000)).toMatchObject({
      stateDirectory: '/var/lib/h',
      repositoryDirectory: '/var/lib/h/repository',
      socketPath: '/run/h/holdfast.sock',
    });
  });

  it('a chosen state directory takes repository and last-resort socket along', () => {
    expect(defaultPaths({ HOME: '/home/a' }, 1000, '/elsewhere')).toMatchObject({
      repositoryDirectory: '/elsewhere/repository',
      socketPath: '/elsewhere/holdfast.sock',
    });
  });
});
