import { CALLED_WRONGLY, type Command, FAILED, SUCCEEDED, UsageError } from './command.js';
import { commands } from './commands.js';

const PROGRAM = 'patchtrail';

/** Runs the command that the arguments name, and resolves with its exit status. */
export async function runCommand(args: readonly string[]): Promise<number> {
  if (args.length === 0 || isHelp(args[0])) return help(args.slice(1));
  const command = find(args);
  if (command === undefined) {
    process.stderr.write(`${PROGRAM}: unknown command "${args.join(' ')}"\n\n${overview()}`);
    return CALLED_WRONGLY;
  }
  const rest = args.slice(command.name.split(' ').length);
  if (rest.some((argument) => argument === '--help')) return help(args);
  try {
    return await command.run(rest);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${PROGRAM} ${command.name}: ${reason}\n`);
    if (!(error instanceof UsageError)) return FAILED;
    process.stderr.write(`Usage: ${PROGRAM} ${usageOf(command)}\n`);
    return CALLED_WRONGLY;
  }
}

function isHelp(word: string | undefined): boolean {
  return word === 'help' || word === '--help' || word === '-h';
}

function find(words: readonly string[]): Command | undefined {
  const text = `${words.join(' ')} `;
  return commands.find(({ name }) => text.startsWith(`${name} `));
}

function help(words: readonly string[]): number {
  const command = find(words);
  if (command === undefined && words.length > 0) {
    process.stderr.write(`${PROGRAM}: unknown command "${words.join(' ')}"\n\n${overview()}`);
    return CALLED_WRONGLY;
  }
  process.stdout.write(command === undefined ? overview() : descriptionOf(command));
  return SUCCEEDED;
}

function overview(): string {
  const width = Math.max(...commands.map((command) => usageOf(command).length));
  const lines = commands.map((one) => `  ${usageOf(one).padEnd(width)}  ${one.summary}\n`);
  return `Usage: ${PROGRAM} <command>

${lines.join('')}  ${'help [command]'.padEnd(width)}  say more about a command

Exit status: ${SUCCEEDED} done, ${FAILED} failed, ${CALLED_WRONGLY} called wrongly.
`;
}

function descriptionOf(command: Command): string {
  const details = command.details === '' ? '' : `\n${command.details}\n`;
  return `Usage: ${PROGRAM} ${usageOf(command)}\n\n${command.summary}\n${details}`;
}

function usageOf({ name, usage }: Command): string {
  return usage === '' ? name : `${name} ${usage}`;
}
