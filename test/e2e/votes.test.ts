// Changes that somebody knows to be harmful: refused by the vote of who knows it, with name and
// reason, and nothing has changed. --force overrides what is about degree or room, never data.
import test, { type Test } from 'tape'
import { LEASE_MS } from '../../src/base/limits.js'
import { EXIT_CODES } from '../../src/cli/exit-codes.js'
import type { EpochResult, VolumeDetail } from '../../src/net/admin.js'
import { TestCluster } from './cluster.js'
import { newest } from './history.js'
import { delay } from './tools.js'

/** Refused in one sentence, which is returned; the configuration is what it was. */
async function refused(t: Test, cluster: TestCluster, words: readonly string[]): Promise<string> {
  const before = newest(await cluster.epochs('m1'))
  const outcome = await cluster.run(words)
  const name = words.join(' ')
  t.equal(outcome.code, EXIT_CODES.refused, `exit code of ${name}`)
  const sentence = outcome.stderr.trim()
  t.equal(sentence.split('\n').length, 1, `one sentence: ${sentence}`)
  t.equal(newest(await cluster.epochs('m1')), before, 'no new epoch')
  return sentence
}

test('removing a storage server is voted on', async t => {
  const cluster = await TestCluster.start(t, { managers: 3, servers: 3 })
  await cluster.json(['volume', 'create', 'triple', '--size', '64M', '--replicas', '3'])
  await degreeIsImpossible(t, cluster)
  await cluster.json(['volume', 'create', 'single', '--size', '64M', '--replicas', '1'])
  await lastCopy(t, cluster)
})

async function degreeIsImpossible(t: Test, cluster: TestCluster): Promise<void> {
  const sentence = await refused(t, cluster, ['server', 'remove', 'c'])
  t.match(sentence, /manager [0-9a-f]{8}/i, 'a manager refused it')
  t.match(sentence, /triple/, 'for the volume')
  const forced = await cluster.json(['server', 'remove', 'c', '--force'])
  const { name, epoch } = forced as { readonly name: string; readonly epoch: number }
  t.equal(name, 'c', 'with --force it is removed')
  await staysAway(t, cluster, 'c')
  const record = (await cluster.json(['epoch', 'show', String(epoch)])) as EpochResult
  t.equal(record.kind, 'server-removed', 'the change is recorded')
  const by = (role: string, approve: boolean): EpochResult['votes'] =>
    record.votes.filter(vote => vote.role === role && vote.approve === approve)
  const approving = by('storage', true).map(vote => vote.name)
  t.ok(approving.includes('a') && approving.includes('b'), `a and b approved: ${approving.join()}`)
  t.ok(by('manager', false).length > 0, 'managers refused')
  t.ok(
    by('manager', false).every(vote => vote.policy && vote.reason !== ''),
    'for a reason that --force overrides',
  )
  const shown = await cluster.run(['epoch', 'show', String(epoch)])
  t.match(shown.stdout, /refuse \(overridden by --force\)/, 'people are shown that as well')
}

/** Its process still runs, and does not come back by itself. */
async function staysAway(t: Test, cluster: TestCluster, name: string): Promise<void> {
  await delay(2 * LEASE_MS)
  const { servers } = await cluster.status('a')
  t.notOk(
    servers.some(server => server.name === name),
    'it does not join again by itself',
  )
  await cluster.kill(name)
}

async function lastCopy(t: Test, cluster: TestCluster): Promise<void> {
  const { placement } = (await cluster.json(['volume', 'show', 'single'])) as VolumeDetail
  const holder = placement[0]?.replicas[0]?.server ?? ''
  const vote = new RegExp(`storage server ${holder}\\b.*single`, 'i')
  const sentence = await refused(t, cluster, ['server', 'remove', holder])
  t.match(sentence, vote, 'the server with the last copy refused it, and names the volume')
  const forced = await refused(t, cluster, ['server', 'remove', holder, '--force'])
  t.match(forced, vote, 'also with --force')
}
