// The history as the manager uses it: group commit, refusals, deltas, records, compaction.
import test from 'tape'
import { epoch } from '../../../src/base/brands.js'
import { HISTORY_RECORDS_KEPT, HISTORY_SEGMENT_RECORDS } from '../../../src/base/limits.js'
import { apply } from '../../../src/layout/apply.js'
import type { Configuration } from '../../../src/layout/configuration.js'
import { patch } from '../../../src/layout/delta.js'
import type { SingleManagerHistory } from '../../../src/manager/history/single-manager-history.js'
import { testPeer } from '../../helpers/scripted-peers.js'
import type { SimulatedDisk } from '../../simulator/simulated-disk.js'
import { CREATED, emptyDisk, filesOf, openHistory, ORIGIN, registered } from './history-fixture.js'

const SERVER = testPeer(2)

test('a history begins with a cluster and comes back equal', async t => {
  const disk = emptyDisk()
  const history = await openHistory(disk)
  t.equal(history.current(), null, 'nothing at first')
  const early = await history.propose(registered(SERVER), ORIGIN)
  t.equal(early.kind === 'refused' && early.code, 'no-cluster', 'nothing comes before a cluster')
  await history.propose(CREATED, ORIGIN)
  await history.propose(registered(SERVER), ORIGIN)
  const before = await history.records(epoch(1), 10)
  const again = await openHistory(disk.crash())
  t.deepEqual(again.current(), history.current(), 'the configuration')
  const records = await again.records(epoch(1), 10)
  t.deepEqual(records, before, 'the records')
  const [first, second] = records
  t.deepEqual(first!.change, CREATED)
  t.deepEqual(second!.votes, ORIGIN.votes)
  t.equal(second!.proposer, ORIGIN.proposer)
  t.match(second!.at, /^2026-01-01T/)
  t.match(second!.text, /^storage server s2 joined: 1 GiB/)
})

test('changes proposed together share one sync, each with its own epoch', async t => {
  const disk = emptyDisk()
  const history = await openHistory(disk)
  await history.propose(CREATED, ORIGIN)
  const announced: number[] = []
  history.subscribe(configuration => announced.push(configuration.epoch))
  let syncs = 0
  disk.observe = operation => {
    if (operation === 'sync') syncs++
  }
  const peers = Array.from({ length: 40 }, (_, i) => testPeer(i + 2))
  const results = await Promise.all(peers.map(id => history.propose(registered(id), ORIGIN)))
  const epochs = results.map(result => (result.kind === 'committed' ? result.record.epoch : 0))
  t.deepEqual(
    epochs,
    peers.map((_, i) => epoch(i + 2)),
  )
  t.equal(syncs, 1, 'one sync for forty changes')
  t.deepEqual(announced, [41], 'listeners hear of the newest')
  const again = await openHistory(disk.crash())
  t.equal(again.current()!.servers.size, 40)
})

test('a refused change leaves no trace, and those behind it see the ones before', async t => {
  const history = await openHistory(emptyDisk())
  await history.propose(CREATED, ORIGIN)
  const [one, same, old] = await Promise.all([
    history.propose(registered(SERVER, 5), ORIGIN),
    history.propose(registered(SERVER, 5), ORIGIN),
    history.propose(registered(SERVER, 4), ORIGIN),
  ])
  t.equal(one.kind, 'committed')
  t.equal(same.kind === 'refused' && same.code, 'no-change')
  t.equal(old.kind === 'refused' && old.code, 'old-incarnation')
  t.equal(history.current()!.epoch, 2)
})

test('deltas lead from the newest epochs to the current one', async t => {
  const history = await openHistory(emptyDisk())
  await history.propose(CREATED, ORIGIN)
  const seen: Configuration[] = [history.current()!]
  for (let i = 1; i <= 150; i++) {
    await history.propose(registered(SERVER, i), ORIGIN)
    seen.push(history.current()!)
  }
  const current = history.current()!
  const delta = history.since(epoch(100))
  t.deepEqual(patch(seen[99]!, delta!), current)
  t.equal(history.since(epoch(3)), null, 'too long ago')
  t.equal(history.since(current.epoch), null, 'nothing since now')
  t.equal(history.since(epoch(current.epoch + 1)), null, 'nor since later')
})

async function commitMany(history: SingleManagerHistory, from: number, to: number): Promise<void> {
  const all = []
  for (let i = from; i <= to; i++) {
    all.push(history.propose(registered(SERVER, i), ORIGIN))
    if (all.length === 500) await Promise.all(all.splice(0))
  }
  await Promise.all(all)
}

test('compaction: a snapshot, new segments, and the newest records stay readable', async t => {
  const disk = emptyDisk()
  const history = await openHistory(disk)
  await history.propose(CREATED, ORIGIN)
  const total = HISTORY_RECORDS_KEPT + 2 * HISTORY_SEGMENT_RECORDS
  await commitMany(history, 1, total)
  const names = [...(await filesOf(disk)).keys()]
  t.ok(names.includes('manager/snapshot'), 'there is a snapshot')
  t.notOk(names.includes('manager/log-0000000001'), 'the oldest segment is gone')
  const again = await openHistory(disk.crash())
  t.deepEqual(again.current(), history.current(), 'reopened equal')
  const newest = again.current()!.epoch
  const oldest = epoch(newest - HISTORY_RECORDS_KEPT + 1)
  const records = await again.records(oldest, HISTORY_RECORDS_KEPT + 1)
  t.equal(records.length, HISTORY_RECORDS_KEPT, 'as many as promised are readable')
  const inOrder = records.every((record, i) => record.epoch === oldest + i)
  t.ok(inOrder, 'in order, none missing')
  const [one] = await again.records(epoch(oldest + 4321), 1)
  t.equal(one?.epoch, oldest + 4321, 'from anywhere')
  const [first] = await again.records(epoch(1), 1)
  t.ok(first!.epoch > 1, 'what is gone is left out')
  await again.propose(registered(SERVER, total + 1), ORIGIN)
  t.equal((await again.records(newest, 10)).length, 2, 'and it goes on')
})

test('a power cut at any moment of compaction loses nothing', async t => {
  const disk = emptyDisk(7)
  const first = await openHistory(disk)
  await first.propose(CREATED, ORIGIN)
  await commitMany(first, 1, HISTORY_SEGMENT_RECORDS - 2)
  await first.close()
  const newest = epoch(HISTORY_SEGMENT_RECORDS)
  let crashes = 0
  for (let moment = 0; moment < 40; moment++) {
    const { crashed, finished } = await compactUntil(disk.survivor([]), moment)
    if (finished) break
    const again = await openHistory(crashed)
    const at = again.current()!.epoch
    if (at !== newest && at !== newest - 1) t.fail(`moment ${moment}: epoch ${at}`)
    await again.propose(registered(SERVER, 9999), ORIGIN)
    await again.close()
    const third = await openHistory(crashed.restart())
    if (third.current()!.epoch !== at + 1) t.fail(`moment ${moment}: not open again`)
    const records = await third.records(epoch(1), HISTORY_SEGMENT_RECORDS + 10)
    if (records.length !== at + 1) t.fail(`moment ${moment}: ${records.length} records`)
    crashes++
  }
  t.ok(crashes > 8, `${crashes} moments`)
})

/** One change that fills the segment; power is cut after so many operations on the disk. */
async function compactUntil(
  disk: SimulatedDisk,
  moment: number,
): Promise<{ readonly crashed: SimulatedDisk; readonly finished: boolean }> {
  const history = await openHistory(disk)
  let operations = 0
  let crashed: SimulatedDisk | null = null
  const cut = new Promise<void>(resolve => {
    disk.observe = () => {
      if (operations++ !== moment) return
      crashed = disk.crash()
      resolve()
    }
  })
  const done = history.propose(registered(SERVER, 9998), ORIGIN).then(() => undefined)
  await Promise.race([cut, done])
  return { crashed: crashed ?? disk, finished: crashed === null }
}

test('apply stays the only way to a configuration', async t => {
  const history = await openHistory(emptyDisk())
  await history.propose(CREATED, ORIGIN)
  const before = history.current()
  await history.propose(registered(SERVER), ORIGIN)
  const outcome = apply(before, registered(SERVER))
  t.deepEqual(outcome.kind === 'applied' && outcome.configuration, history.current())
})
