/**
 * The lint and boundary rules must catch what they are there for: a fixture tree with one planted
 * violation per file is checked with this repository's own configuration, in a workspace of its own.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const place = mkdtempSync(join(tmpdir(), 'patchtrail-planted-'));
const env = { ...process.env, NX_DAEMON: 'false', NX_WORKSPACE_ROOT_PATH: place };

function prepare() {
  cpSync(join(root, 'tools/planted'), place, { recursive: true });
  for (const file of [
    'eslint.config.mjs',
    '.dependency-cruiser.mjs',
    'tsconfig.base.json',
    'tsconfig.check.json',
    'nx.json',
    'package.json',
    'package-lock.json',
  ]) {
    cpSync(join(root, file), join(place, file));
  }
  symlinkSync(join(root, 'node_modules'), join(place, 'node_modules'));
}

/** Runs a tool that exits with a failure when it finds something, which here it must. */
function run(bin, args) {
  const node = process.execPath;
  const result = spawnSync(node, [join(root, 'node_modules', bin), ...args], {
    cwd: place,
    env,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (result.error) throw result.error;
  return result.stdout;
}

function findings() {
  execFileSync(
    process.execPath,
    [join(root, 'node_modules/nx/dist/bin/nx.js'), 'show', 'projects'],
    {
      cwd: place,
      env,
      stdio: 'ignore',
    },
  );
  const found = new Map();
  const add = (file, rule) => found.set(file, new Set([...(found.get(file) ?? []), rule]));
  const linted = JSON.parse(run('eslint/bin/eslint.js', ['libs', 'services', '--format', 'json']));
  for (const { filePath, messages } of linted) {
    for (const { ruleId } of messages)
      add(filePath.slice(place.length + 1), ruleId ?? 'parse-error');
  }
  const cruised = JSON.parse(
    run('dependency-cruiser/bin/dependency-cruiser.mjs', ['libs', 'services', '-T', 'json']),
  );
  for (const { from, rule } of cruised.summary.violations) add(from, rule.name);
  return found;
}

function compare(found) {
  const wrong = [];
  const files = globSync('**/src/**/*.ts', {
    cwd: place,
    exclude: (name) => name === 'node_modules',
  });
  let caught = 0;
  for (const file of files) {
    const [, planted] = /^\/\/ planted: (.*)/.exec(readFileSync(join(place, file), 'utf8')) ?? [];
    const expected = new Set(
      (planted ?? 'nothing').split(' ').filter((rule) => rule !== 'nothing'),
    );
    const actual = found.get(file) ?? new Set();
    const missed = [...expected].filter((rule) => !actual.has(rule));
    const surplus = [...actual].filter((rule) => !expected.has(rule));
    caught += expected.size - missed.length;
    if (missed.length > 0) wrong.push(`${file}: not caught by ${missed.join(', ')}`);
    if (surplus.length > 0) wrong.push(`${file}: also ${surplus.join(', ')}`);
  }
  return { wrong, caught };
}

try {
  prepare();
  const { wrong, caught } = compare(findings());
  for (const line of wrong) console.error(line);
  console.log(`${caught} planted violations caught, ${wrong.length} surprises`);
  process.exitCode = wrong.length === 0 && caught > 0 ? 0 : 1;
} finally {
  rmSync(place, { recursive: true, force: true });
}
