import type { Command } from './command.js';

export const start: Command = {
  name: 'start',
  usage: '',
  summary: 'run the services until SIGINT or SIGTERM',
  details: 'It takes the same configuration as npm start.',
  run: async () => {
    const { runStandalone } = await import('../run-standalone.js');
    await runStandalone();
    return Number(process.exitCode ?? 0);
  },
};
