import type { Command } from 'commander';
import type { CommandRun } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';

/** What may follow a command: its subcommands, its options, the values of its first argument. */
interface Place {
  /** `/job/cancel`; '' at the top. */
  readonly path: string;
  readonly words: readonly string[];
}

/** `holdfast completion SHELL`: made from the same tree that parses command lines. */
export const completionOf =
  (program: Command): CommandRun<GlobalOptions> =>
  async (context, [shell]) => {
    const places = placesOf(program, '', globalOptions(program));
    const script = { bash: bashScript, zsh: zshScript, fish: fishScript }[
      shell as 'bash' | 'zsh' | 'fish'
    ];
    context.terminal.out(script(places));
    return EXIT.ok;
  };

const globalOptions = (program: Command): string[] => [
  ...program.options.flatMap(({ long }) => (long == null ? [] : [long])),
  '--help',
];

/** Names hold nothing that a shell would read: they are checked, not quoted. */
const PLAIN = /^[A-Za-z0-9_-]+$/;

function placesOf(command: Command, path: string, globals: readonly string[]): Place[] {
  const children = command
    .createHelp()
    .visibleCommands(command)
    .filter((child) => child.name() !== 'help');
  const words = [
    ...children.map((child) => child.name()),
    ...(command.registeredArguments[0]?.argChoices ?? []),
    ...(path === '' ? [] : command.options.flatMap(({ long }) => (long == null ? [] : [long]))),
    ...globals,
  ].filter((word) => PLAIN.test(word));
  return [
    { path, words: [...new Set(words)] },
    ...children.flatMap((child) => placesOf(child, `${path}/${child.name()}`, globals)),
  ];
}

const deeper = (places: readonly Place[]): string =>
  places
    .filter(({ path }) => path !== '')
    .map(({ path }) => path)
    .join('|');

const cases = (places: readonly Place[], line: (words: string) => string): string =>
  places.map(({ path, words }) => `    '${path}') ${line(words.join(' '))} ;;`).join('\n');

function bashScript(places: readonly Place[]): string {
  return `# bash completion for holdfast: source <(holdfast completion bash)
_holdfast() {
  local at= word words=
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$at/$word" in
      ${deeper(places)}) at="$at/$word" ;;
    esac
  done
  case "$at" in
${cases(places, (words) => `words='${words}'`)}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _holdfast holdfast`;
}

function zshScript(places: readonly Place[]): string {
  return `#compdef holdfast
# zsh completion for holdfast: source <(holdfast completion zsh)
_holdfast() {
  local at= word list=
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at/$word" in
      ${deeper(places)}) at="$at/$word" ;;
    esac
  done
  case "$at" in
${cases(places, (words) => `list='${words}'`)}
  esac
  compadd -- \${=list}
  _files
}
compdef _holdfast holdfast`;
}

function fishScript(places: readonly Place[]): string {
  const known = places
    .filter(({ path }) => path !== '')
    .map(({ path }) => `'${path}'`)
    .join(' ');
  const lines = places
    .map(({ path, words }) => `    case '${path}'\n      printf '%s\\n' ${words.join(' ')}`)
    .join('\n');
  return `# fish completion for holdfast: holdfast completion fish | source
function __holdfast_words
  set -l at ''
  for word in (commandline -opc)[2..-1]
    contains -- "$at/$word" ${known}; and set at "$at/$word"
  end
  switch "$at"
${lines}
  end
end
complete -c holdfast -a '(__holdfast_words)'`;
}
