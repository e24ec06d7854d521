// Bad input of every kind: one sentence on stderr, the documented exit code, nothing half done.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'tape'
import { EXIT_CODES } from '../../src/cli/exit-codes.js'
import type { ErrorCode } from '../../src/base/errors.js'
import { TestCluster } from './cluster.js'
import type { Outcome } from './tools.js'

interface Case {
  readonly words: readonly string[]
  readonly code: ErrorCode
  readonly says: RegExp
}

function check(t: test.Test, outcome: Outcome, expected: Case): void {
  const name = expected.words.join(' ')
  t.equal(outcome.code, EXIT_CODES[expected.code], `exit code of: ${name} (${outcome.stderr})`)
  t.match(outcome.stderr, expected.says, `sentence of: ${name}`)
  t.equal(outcome.stderr.trim().split('\n').length, 1, `one line: ${outcome.stderr.trim()}`)
  t.equal(outcome.stdout, '', 'nothing on stdout')
}

test('bad input without a cluster', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'swarmdisk-test-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const cluster = TestCluster.offline(t)
  const { key } = (await cluster.json(['cluster', 'create'])) as { readonly key: string }
  const file = join(folder, 'file')
  writeFileSync(file, '')
  const full = join(folder, 'full')
  mkdirSync(full)
  writeFileSync(join(full, 'thesis.tex'), 'precious')
  const local = ['--bootstrap', '127.0.0.1:9', '--key', key]
  const cases: readonly Case[] = [
    {
      words: ['volume', 'create', 'x', '--size', '1G', '--sise', '2'],
      code: 'bad-input',
      says: /--sise/,
    },
    { words: ['volume', 'create', 'x'], code: 'bad-input', says: /size/ },
    {
      words: ['volume', 'create', 'x', '--size', 'big', ...local],
      code: 'bad-input',
      says: /--size.*10G/,
    },
    { words: ['volume', 'resize', 'x'], code: 'bad-input', says: /size/ },
    {
      words: ['volume', 'resize', 'x', '--size', 'big', ...local],
      code: 'bad-input',
      says: /--size.*10G/,
    },
    {
      words: ['volume', 'resize', 'x', '--size', '2G', '--shrink', ...local],
      code: 'bad-input',
      says: /--shrink/,
    },
    {
      words: ['snapshot', 'create', 'data', ...local],
      code: 'bad-input',
      says: /VOLUME@NAME, and "data" has no "@"/,
    },
    {
      words: ['snapshot', 'create', 'a@x', 'b@x', ...local],
      code: 'bad-input',
      says: /--atomic/,
    },
    {
      words: ['snapshot', 'rollback', 'data@', ...local],
      code: 'bad-input',
      says: /snapshot name is empty/,
    },
    { words: ['scrub', ...local], code: 'bad-input', says: /volume/ },
    { words: ['scrub', 'a/b', ...local], code: 'bad-input', says: /volume name/ },
    {
      words: ['scrub', 'data', '--timeout', 'soon', ...local],
      code: 'bad-input',
      says: /--timeout must be a duration like 30s/,
    },
    { words: ['no-such-command'], code: 'bad-input', says: /no-such-command/ },
    { words: ['status', '--bootstrap', '127.0.0.1:9'], code: 'bad-input', says: /--key/ },
    {
      words: ['status', '--key', 'short', '--bootstrap', '127.0.0.1:9'],
      code: 'bad-input',
      says: /52/,
    },
    {
      words: ['status', '--key', key, '--bootstrap', 'nonsense'],
      code: 'bad-input',
      says: /HOST:PORT/,
    },
    { words: ['status', '--key-file', join(folder, 'none')], code: 'bad-input', says: /key file/ },
    { words: ['bootstrap', '--port', '70000'], code: 'bad-input', says: /--port/ },
    {
      words: ['manager', '--data', file, '--new', ...local],
      code: 'data-directory',
      says: /not a directory/,
    },
    {
      words: ['manager', '--data', full, '--new', ...local],
      code: 'data-directory',
      says: /thesis/,
    },
    {
      words: ['storage', '--data', join(folder, 's'), '--capacity', 'x', ...local],
      code: 'bad-input',
      says: /--capacity/,
    },
    {
      words: ['storage', '--data', join(folder, 's'), '--max-recovery', '100', ...local],
      code: 'bad-input',
      says: /--max-recovery must be at least 1M/,
    },
    {
      words: ['storage', '--data', join(folder, 's'), '--name', 'a/b', ...local],
      code: 'bad-input',
      says: /name/,
    },
    { words: ['dev', '--managers', '2', '--data', folder], code: 'bad-input', says: /1, 3, 5/ },
    {
      words: ['server', 'gone', '--data', join(folder, 'none'), ...local],
      code: 'not-found',
      says: /not the data directory/,
    },
    { words: ['manager', 'add', ...local], code: 'bad-input', says: /identity/ },
    { words: ['manager', 'remove', 'x', '--forse'], code: 'bad-input', says: /--forse/ },
    { words: ['storage', '--data', '/proc/x', ...local], code: 'data-directory', says: /proc/ },
    { words: ['status', key], code: 'bad-input', says: /\(a key\)/ },
    { words: ['mount', join(folder, 'none'), ...local], code: 'not-found', says: /none/ },
    { words: ['mount', full, ...local], code: 'bad-input', says: /empty/ },
    { words: ['mount', file, ...local], code: 'bad-input', says: /director/ },
    { words: ['unmount', folder], code: 'not-found', says: /mount/ },
    { words: ['detach', '/dev/loop4242'], code: 'not-found', says: /loop4242/ },
    { words: ['attach', 'x', '--mount', folder], code: 'not-found', says: /mount/ },
    { words: ['bench', ...local], code: 'bad-input', says: /volume/ },
    { words: ['bench', 'x', '--seconds', '0', ...local], code: 'bad-input', says: /--seconds/ },
    { words: ['bench', 'x', '--seconds', '3601', ...local], code: 'bad-input', says: /3600/ },
    { words: ['bench', 'x', '--depth', '257', ...local], code: 'bad-input', says: /1 to 256/ },
    { words: ['bench', 'x', '--depth', '17', ...local], code: 'bad-input', says: /at most 16/ },
    { words: ['bench', 'x', '--block-size', '5000', ...local], code: 'bad-input', says: /4096/ },
    { words: ['bench', 'x', '--only', 'fsync', ...local], code: 'bad-input', says: /no job/ },
    { words: ['bench', 'x', '--only', 'write', ...local], code: 'bad-input', says: /--write/ },
    { words: ['bench', 'x@y', '--write', ...local], code: 'bad-input', says: /is a snapshot/ },
    { words: ['bench', 'x', '--io-timeout', 'y', ...local], code: 'bad-input', says: /30s or 5m/ },
  ]
  for (const one of cases) check(t, await cluster.run(one.words), one)
  t.notOk(existsSync(join(folder, 's')), 'no data directory was made for a wrong flag')
  const both = await cluster.run(['status', '--key-file', join(folder, 'none')], {
    SWARMDISK_KEY: key,
  })
  t.match(both.stderr, /key file/, 'the flag wins over the environment')
  t.notOk(both.stderr.includes(key), 'and no key is shown')
  const json = await cluster.run(['status', '--key', 'short', '--json'])
  const { error } = JSON.parse(json.stdout) as { readonly error: { readonly code: string } }
  t.equal(error.code, 'bad-input', '--json says it as an object as well')
  t.notOk(json.stderr.includes(key), 'no key in an error')
})

test('bad input to a cluster', async t => {
  const cluster = await TestCluster.start(t, { servers: 2 })
  const create = (name: string, ...more: readonly string[]): readonly string[] => [
    'volume',
    'create',
    name,
    ...more,
  ]
  const cases: readonly Case[] = [
    { words: create('a/b', '--size', '1G', '--replicas', '2'), code: 'bad-input', says: /letters/ },
    {
      words: create('x'.repeat(65), '--size', '1G', '--replicas', '2'),
      code: 'bad-input',
      says: /64/,
    },
    { words: create('..', '--size', '1G', '--replicas', '2'), code: 'bad-input', says: /name/ },
    { words: create('x', '--size', '0', '--replicas', '2'), code: 'bad-input', says: /above zero/ },
    { words: create('x', '--size', '1000', '--replicas', '2'), code: 'bad-input', says: /4096/ },
    {
      words: create('x', '--size', '9999P', '--replicas', '2'),
      code: 'bad-input',
      says: /size|large|at most/i,
    },
    { words: create('x', '--size', '1G', '--replicas', '3'), code: 'bad-input', says: /server/ },
    { words: create('x', '--size', '1G', '--replicas', '0'), code: 'bad-input', says: /replicas/ },
    {
      words: create('x', '--size', '1G', '--replicas', '2', '--min-in-sync', '3'),
      code: 'bad-input',
      says: /in-sync|in sync/,
    },
    { words: ['volume', 'show', 'none'], code: 'not-found', says: /none/ },
    { words: ['volume', 'delete', 'none'], code: 'not-found', says: /none/ },
    { words: ['bench', 'none', '--write'], code: 'not-found', says: /none/ },
    { words: ['scrub', 'none'], code: 'not-found', says: /no volume "none"/ },
    {
      words: ['shard', 'promote', 'none', '0', '--server', 'a'],
      code: 'bad-input',
      says: /lost for good: say --accept-data-loss/,
    },
    {
      words: ['shard', 'promote', 'none', '0', '--server', 'a', '--accept-data-loss'],
      code: 'not-found',
      says: /none/,
    },
    {
      words: ['shard', 'promote', 'none', 'x', '--server', 'a', '--accept-data-loss'],
      code: 'bad-input',
      says: /whole number/,
    },
    { words: ['server', 'remove', 'none'], code: 'not-found', says: /none/ },
    { words: ['manager', 'remove', 'zz'], code: 'bad-input', says: /identity|hexadecimal/ },
    { words: ['manager', 'add', '00000000'], code: 'not-found', says: /00000000/ },
    { words: ['manager', 'remove', cluster.idOf('m1')], code: 'refused', says: /last|only/ },
    { words: ['epoch', 'show', '4711'], code: 'not-found', says: /4711/ },
    {
      words: ['manager', '--data', cluster.dataOf('a')],
      code: 'in-use',
      says: /in use by process/,
    },
    {
      words: ['storage', '--data', cluster.dataOf('a')],
      code: 'in-use',
      says: /in use by process/,
    },
  ]
  for (const one of cases) check(t, await cluster.run(one.words), one)
  const before = (await cluster.json(['volume', 'list'])) as { readonly volumes: unknown[] }
  t.deepEqual(before.volumes, [], 'nothing was made')
  await cluster.json(create('x', '--size', '64M', '--replicas', '2'))
  check(t, await cluster.run(create('x', '--size', '64M', '--replicas', '2')), {
    words: create('x'),
    code: 'bad-input',
    says: /exists|already/,
  })
  await cluster.kill('a', 'SIGTERM')
  const other = {
    words: ['manager', '--data', cluster.dataOf('a')],
    code: 'data-directory',
    says: /storage/,
  } as const
  check(t, await cluster.run(other.words), other)
  const { key } = (await cluster.json(['cluster', 'create'])) as { readonly key: string }
  const foreign = {
    words: ['storage', '--data', cluster.dataOf('a')],
    code: 'wrong-cluster',
    says: /another cluster/,
  } as const
  check(t, await cluster.run(foreign.words, { SWARMDISK_KEY: key }), foreign)
  const lonely = { words: ['status'], code: 'unreachable', says: /manager/ } as const
  check(t, await cluster.run(lonely.words, { SWARMDISK_KEY: key }), lonely)
})
