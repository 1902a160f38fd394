import { spawnSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { removePostgres } from '@patchtrail/postgres';
import { eventually } from '@patchtrail/testing';
import { demoPlan } from '../demo/plan.js';
import {
  openAsAdmin,
  type Product,
  runProduct,
  serverProcesses,
  startProduct,
} from '../product.suite.js';

let workDir: string;
let dataDir: string;
beforeAll(async () => {
  workDir = await mkdtemp(join(tmpdir(), 'patchtrail-cli-'));
  dataDir = join(workDir, 'data');
});
afterAll(async () => {
  await removePostgres(join(dataDir, 'postgres'));
  await rm(workDir, { recursive: true, force: true });
});

async function cli(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const script = runProduct({ dataDir, entry: 'cli/main.ts', args, env });
  const { code } = await script.exited;
  return { code, out: script.lines().join('\n'), errors: script.errors() };
}

describe('patchtrail', () => {
  it.each([[[]], [['help']], [['--help']]])('lists its commands: %j', async (args) => {
    const { code, out, errors } = await cli(args);
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
    expect(out).toMatch(/^Usage: patchtrail <command>/);
    expect(out).toMatch(/^ {2}start +run the services/m);
    expect(out).toMatch(/^ {2}projections rebuild <service> +build the rows/m);
  });

  it.each([[['help', 'projections', 'rebuild']], [['projections', 'rebuild', '--help']]])(
    'says more about one: %j',
    async (args) => {
      const { code, out } = await cli(args);
      expect(code).toBe(0);
      expect(out).toMatch(/^Usage: patchtrail projections rebuild <service>/);
      expect(out).toMatch(/Services: approval, deployment\./);
    },
  );

  it.each<[readonly string[], RegExp]>([
    [['projection'], /^patchtrail: unknown command "projection"\n\nUsage: patchtrail <command>/],
    [['projections'], /unknown command "projections"/],
    [['projections', 'rebuilds', 'approval'], /unknown command/],
    [['help', 'stop'], /unknown command "stop"/],
    [['projections', 'rebuild'], /: <service>: must be one of approval, deployment\nUsage: /],
    [['projections', 'rebuild', 'approval', 'deployment'], /<service>: must be one of/],
    [['projections', 'rebuild', 'agent'], /must be one of approval, deployment, not "agent"/],
    [['projections', 'rebuild', 'reporting'], /the rows of reporting are themselves the truth/],
    [['projections', 'rebuild', 'discovery'], /the rows of discovery are themselves the truth/],
    [['projections', 'rebuild', 'prioritization'], /prioritization are themselves the truth/],
    [['projections', 'rebuild', 'approval', '--all'], /Unknown option '--all'/],
  ])('refuses to be called wrongly: %j', async (args, reason) => {
    const { code, out, errors } = await cli(args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(errors).toMatch(reason);
  });

  it('tells an older Node what is needed before it loads a thing', async () => {
    const folder = join(workDir, 'older');
    await mkdir(join(folder, 'cli'), { recursive: true });
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    for (const [from, to] of [
      ['main.ts', 'cli/main.js'],
      ['../require-node.ts', 'require-node.js'],
    ] as const) {
      await copyFile(fileURLToPath(new URL(from, import.meta.url)), join(folder, to));
    }
    const faked = 'process, "versions", { value: { ...process.versions, node: "22.11.0" } }';
    const older = `data:text/javascript,Object.defineProperty(${faked})`;
    const args = ['--import', older, join(folder, 'cli/main.js'), 'help'];
    const run = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(run.stderr).toContain('Patchtrail needs Node 24 or newer; this is Node 22.11.0.');
    expect(run.status).toBe(1);
  });
});

describe('patchtrail projections rebuild', () => {
  let product: Product;
  let endProduct: () => Promise<unknown> = () => Promise.resolve();
  beforeAll(async () => {
    product = await startProduct({ dataDir, entry: 'cli/main.ts', args: ['start'] });
    endProduct = () => product.script.kill();
  }, 120_000);
  afterAll(() => endProduct());

  type Template = { templateId: string; name: string };
  const named = async (names: number) => {
    const pat = await product.as('pat', ['platform-engineer']);
    for (let n = 0; n < names; n += 1) await pat.post('/v1/plan-templates', demoPlan);
  };
  const templates = async () => {
    const pat = await product.as('pat', ['platform-engineer']);
    type Screen = { data: { items: readonly Template[] } };
    const { body } = await pat.get<Screen>('/v1/plan-templates?page_size=100');
    return body.data.items;
  };
  const corrupt = async () => {
    const db = await openAsAdmin(dataDir, 'patchtrail_approval');
    try {
      await db.run(`UPDATE plan_templates SET name = 'damaged'`);
    } finally {
      await db.close();
    }
  };

  it('needs data to be there', async () => {
    const { code, errors } = await cli(['projections', 'rebuild', 'approval'], {
      PATCHTRAIL_DATA_DIR: join(workDir, 'nowhere'),
    });
    expect(code).toBe(1);
    expect(errors).toMatch(/There is no data in \S+nowhere\. Set PATCHTRAIL_DATA_DIR/);
  });

  it('cannot read the memory of another process', async () => {
    const { code, errors } = await cli(['projections', 'rebuild', 'approval'], {
      EVENT_STORE_URL: 'memory:',
    });
    expect(code).toBe(1);
    expect(errors).toMatch(/EVENT_STORE_URL: must not be memory:/);
  });

  it('mends the rows of a host that runs, which goes on', async () => {
    await named(3);
    await eventually(async () => expect(await templates()).toHaveLength(3));
    const before = await templates();
    await corrupt();
    expect((await templates()).map(({ name }) => name)).toEqual(Array(3).fill('damaged'));
    const { code, out, errors } = await cli(['projections', 'rebuild', 'approval']);
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
    expect(out).toMatch(
      /^approval\.read-models was rebuilt in [\d.]+ s: 3 events up to position \S+, \d+ events\/s$/m,
    );
    expect(out).toMatch(/^ {2}plan_templates: 3 rows, there were 3, and they differed$/m);
    expect(out).toMatch(/^ {2}approval_requests: 0 rows, the same as before$/m);
    expect(await templates()).toEqual(before);
    await named(1);
    await eventually(async () => expect(await templates()).toHaveLength(4));
  }, 60_000);

  it('rebuilds deployment', async () => {
    const { code, out } = await cli(['projections', 'rebuild', 'deployment']);
    expect(code).toBe(0);
    expect(out).toMatch(/^deployment\.read-models was rebuilt/m);
    expect(out).not.toMatch(/differed/);
  });

  it('starts the server of the data folder where no host does, and stops it again', async () => {
    expect(await product.stop()).toEqual({ code: 0, signal: null });
    const { code, out, errors } = await cli(['projections', 'rebuild', 'approval']);
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
    expect(out).toMatch(/^ {2}plan_templates: 4 rows, the same as before$/m);
    expect(await serverProcesses(dataDir)).toEqual([]);
  }, 60_000);
});
