// The store as Raft uses it: what was made durable is there after a start, tails are replaced,
// snapshots take the place of entries, records stay readable, full and failing disks.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'tape'
import { epoch } from '../../../src/base/brands.js'
import { isSwarmdiskError, SwarmdiskError } from '../../../src/base/errors.js'
import { HISTORY_RECORDS_KEPT, HISTORY_SEGMENT_RECORDS } from '../../../src/base/limits.js'
import type { Disk } from '../../../src/disk/disk.js'
import { NodeDisk } from '../../../src/disk/node-disk.js'
import type { RaftStore } from '../../../src/manager/history/raft-store.js'
import { testPeer } from '../../helpers/scripted-peers.js'
import { everyOutcome } from '../../simulator/outcomes.js'
import type { SimulatedDisk } from '../../simulator/simulated-disk.js'
import { emptyDisk, filesOf } from './history-fixture.js'
import {
  afterBatch,
  afterCompaction,
  appendEach,
  at,
  batch,
  differences,
  emptyEntry,
  EMPTY,
  entry,
  EVERYTHING,
  failureOf,
  hardState,
  openStore,
  snapshotAt,
  type Model,
} from './raft-store-fixture.js'

const FULL = new SwarmdiskError('disk-full', 'the disk is full')
const one = (n: number, term = 1): ReturnType<typeof entry> => entry(n, { term, epoch: n })

async function texts(store: RaftStore, from = 1, last: number = EVERYTHING): Promise<string[]> {
  const records = await store.records(epoch(from), epoch(last), 10 ** 6)
  return records.map(({ text }) => text)
}

test('a manager without a history begins with nothing', async t => {
  const disk = emptyDisk()
  const opened = await openStore(disk)
  t.deepEqual(await differences(opened, EMPTY), [])
  t.notOk(opened.store.full)
  await opened.store.persist(batch({ commit: at(7) }))
  await opened.store.close()
  t.equal((await filesOf(disk)).size, 0, 'and nothing is written for nothing')
})

test('what was made durable is there after a start', async t => {
  const disk = emptyDisk()
  const { store } = await openStore(disk)
  const writes = [
    batch({ hardState: hardState(3, testPeer(2)) }),
    batch({ entries: [{ ...one(1), members: [testPeer(1), testPeer(2)] }, emptyEntry(2, 3)] }),
    batch({ entries: [entry(3, { term: 3, epoch: 2 })], commit: at(2), hardState: hardState(4) }),
  ]
  let model: Model = EMPTY
  for (const write of writes) {
    await store.persist(write)
    model = afterBatch(model, write)
  }
  t.deepEqual(await differences(await openStore(disk.crash()), model), [])
})

test('to make something durable takes one write and one sync', async t => {
  const disk = emptyDisk()
  const { store } = await openStore(disk)
  await appendEach(store, 1, 1)
  const seen: string[] = []
  disk.observe = operation => seen.push(operation)
  const entries = Array.from({ length: 40 }, (_, i) => one(i + 2))
  await store.persist(batch({ entries, hardState: hardState(2), commit: at(30) }))
  t.deepEqual(seen, ['write', 'sync'])
})

test('a commit beyond the last entry says nothing about those that are here', async t => {
  const disk = emptyDisk()
  const { store } = await openStore(disk)
  await appendEach(store, 1, 5)
  await store.persist(batch({ hardState: hardState(2), commit: at(9) }))
  const { start } = await openStore(disk.restart())
  t.equal(start.commit, 4)
})

test('a tail is replaced, over borders of segments and starts', async t => {
  let disk = emptyDisk()
  let { store } = await openStore(disk)
  await appendEach(store, 1, 9)
  for (const n of [10, 15]) {
    await store.persist(batch({ entries: [0, 1, 2, 3, 4].map(i => one(n + i)) }))
  }
  await store.compact(snapshotAt(8, 1))
  await store.persist(batch({ entries: [10, 11, 12].map(n => one(n, 2)) }))
  await store.persist(batch({ entries: [one(12, 3)] }))
  const wanted = [
    ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map(n => `epoch ${n} of term 1`),
    ...['epoch 10 of term 2', 'epoch 11 of term 2', 'epoch 12 of term 3'],
  ]
  t.deepEqual(await texts(store), wanted, 'at once')
  for (const how of ['stop', 'crash'] as const) {
    if (how === 'stop') await store.close()
    disk = how === 'stop' ? disk : disk.crash()
    const opened = await openStore(disk)
    store = opened.store
    t.deepEqual(await texts(store), wanted, `after a ${how}`)
    t.deepEqual(
      opened.start.entries.map(({ index, term }) => [index, term]),
      [9, 10, 11, 12].map((n, i) => [n, [1, 2, 2, 3][i]]),
    )
  }
  await store.persist(batch({ entries: [one(20, 4)].map(e => ({ ...e, index: at(11) })) }))
  t.deepEqual(await texts(store, 10), ['epoch 10 of term 2', 'epoch 20 of term 4'])
})

test('what is committed, or in the snapshot, is never replaced', async t => {
  const { store } = await openStore(emptyDisk())
  await appendEach(store, 1, 5)
  t.match(String(await failureOf(store.persist(batch({ entries: [one(4, 2)] })))), /committed/)
  t.match(String(await failureOf(store.persist(batch({ entries: [one(7)] })))), /continue/)
})

test('records: a range, a limit, what is committed', async t => {
  const { store } = await openStore(emptyDisk())
  // Every third entry has no record; several share a frame.
  let next = 0
  for (let first = 1; first <= 90; first += 9) {
    const entries = Array.from({ length: 9 }, (_, i) =>
      i % 3 === 0 ? emptyEntry(first + i, 1) : entry(first + i, { term: 1, epoch: ++next }),
    )
    await store.persist(batch({ entries, commit: at(first + 7) }))
    if (first % 27 === 1) await store.compact(snapshotAt(first + 4, 1))
  }
  t.equal(next, 60)
  const wrong: string[] = []
  for (let from = 1; from <= 62; from++) {
    for (const last of [from - 1, from, from + 1, from + 20, 60, 100]) {
      for (const limit of [0, 1, 7, 100]) {
        const found = await store.records(epoch(from), epoch(last), limit)
        const wanted = Array.from({ length: 60 }, (_, i) => i + 1)
          .filter(n => n >= from && n <= last)
          .slice(0, limit)
        const epochs: number[] = found.map(record => record.epoch)
        if (epochs.join() !== wanted.join()) wrong.push(`${from} to ${last}: ${epochs.join()}`)
      }
    }
  }
  t.deepEqual(wrong, [])
})

test('compaction keeps the newest records readable, and one snapshot', async t => {
  const disk = emptyDisk()
  const { store } = await openStore(disk)
  const total = HISTORY_RECORDS_KEPT + 2 * HISTORY_SEGMENT_RECORDS
  let fulls = 0
  for (let first = 1; first <= total; first += 500) {
    const entries = Array.from({ length: 500 }, (_, i) => one(first + i))
    const last = first + 499
    await store.persist(batch({ entries, commit: at(last) }))
    if (!store.full) continue
    await store.compact(snapshotAt(last, 1))
    t.notOk(store.full, `compacted at ${last}`)
    fulls++
  }
  t.equal(fulls, total / HISTORY_SEGMENT_RECORDS)
  const names = [...(await filesOf(disk)).keys()]
  const wanted = [`manager/snapshot-${String(total).padStart(10, '0')}`, 'manager/snapshot']
  t.deepEqual(names.filter(name => name.includes('snapshot')).sort(), wanted.sort())
  t.notOk(names.includes('manager/entries-0000000001'), 'the oldest segment is gone')
  const again = await openStore(disk.crash())
  t.equal(again.start.entries.length, 0, 'a start reads what is behind the snapshot')
  const oldest = total - HISTORY_RECORDS_KEPT + 1
  const records = await again.store.records(epoch(oldest), EVERYTHING, HISTORY_RECORDS_KEPT + 1)
  t.equal(records.length, HISTORY_RECORDS_KEPT, 'as many as promised')
  t.ok(
    records.every((record, i) => record.epoch === oldest + i),
    'in order, none missing',
  )
  const [some] = await again.store.records(epoch(oldest + 4321), EVERYTHING, 1)
  t.equal(some?.epoch, oldest + 4321, 'from anywhere')
  const [first] = await again.store.records(epoch(1), EVERYTHING, 1)
  t.ok(first!.epoch > 1, 'what is gone is left out')
})

test('entries that are not committed do not ask for a snapshot of what is there', async t => {
  const { store } = await openStore(emptyDisk())
  const entries = Array.from({ length: HISTORY_SEGMENT_RECORDS }, (_, i) => one(i + 1))
  await store.persist(batch({ entries }))
  t.notOk(store.full)
  await store.persist(batch({ entries: [one(HISTORY_SEGMENT_RECORDS + 1)], commit: at(1) }))
  t.ok(store.full)
  await store.compact(snapshotAt(1, 1))
  t.notOk(store.full, 'what is repeated in a new segment does not count')
})

/** A store with records in two segments, and what it holds. */
async function twoSegments(disk: Disk): Promise<{ store: RaftStore; model: Model }> {
  const { store } = await openStore(disk)
  await appendEach(store, 1, 6)
  await store.compact(snapshotAt(4, 1))
  await store.persist(batch({ hardState: hardState(2, testPeer(1)), commit: at(5) }))
  const entries = [1, 2, 3, 4, 5, 6].map(n => one(n))
  const first = afterBatch(EMPTY, batch({ entries, commit: at(5) }))
  const model = afterCompaction(first, snapshotAt(4, 1))
  return { store, model: { ...model, hardState: hardState(2, testPeer(1)) } }
}

const SNAPSHOT = batch({
  snapshot: snapshotAt(30, 5, 'from the leader'),
  entries: [entry(31, { term: 5, epoch: 90 })],
  hardState: hardState(5, testPeer(3)),
  commit: at(31),
})

test('a snapshot from the leader replaces everything', async t => {
  const disk = emptyDisk()
  const { store, model } = await twoSegments(disk)
  await store.persist(SNAPSHOT)
  const wanted = afterBatch(model, SNAPSHOT)
  const again = await openStore(disk.crash())
  t.deepEqual(await differences(again, wanted), [])
  t.deepEqual(
    await texts(again.store, 1, 90),
    ['epoch 90 of term 5'],
    'nothing from before is listed',
  )
})

test('every outcome of a power cut is the state before or after', async t => {
  const operations: Record<string, (store: RaftStore) => Promise<void>> = {
    append: store => store.persist(batch({ entries: [one(6, 2), one(7, 2)], commit: at(6) })),
    install: store => store.persist(SNAPSHOT),
    compact: store => store.compact(snapshotAt(5, 1)),
  }
  for (const [what, run] of Object.entries(operations)) {
    const disk = emptyDisk()
    const { store, model } = await twoSegments(disk)
    const after =
      what === 'compact'
        ? afterCompaction(model, snapshotAt(5, 1))
        : afterBatch(
            model,
            what === 'install'
              ? SNAPSHOT
              : batch({ entries: [one(6, 2), one(7, 2)], commit: at(6) }),
          )
    const pending: Promise<string>[] = []
    disk.observe = () => {
      for (const survivor of everyOutcome(disk)) pending.push(stateOf(survivor, { model, after }))
    }
    await run(store)
    disk.observe = null
    const seen = new Set(await Promise.all(pending))
    t.deepEqual([...seen].sort(), ['after', 'before'], `${what}: ${pending.length} outcomes`)
    t.equal(await stateOf(disk.crash(), { model, after }), 'after', 'what was answered is there')
  }
})

async function stateOf(
  disk: SimulatedDisk,
  { model, after }: { readonly model: Model; readonly after: Model },
): Promise<string> {
  const opened = await openStore(disk)
  const notAfter = await differences(opened, after)
  if (notAfter.length === 0) return 'after'
  const notBefore = await differences(opened, model)
  return notBefore.length === 0 ? 'before' : [...notAfter, ...notBefore].join('; ')
}

test('a full disk refuses, and all goes on when there is room', async t => {
  const disk = emptyDisk()
  const { store, model } = await twoSegments(disk)
  const before = [...(await filesOf(disk)).keys()]
  const full = (path: RegExp) => (operation: string, at: string) =>
    operation === 'write' && path.test(at) ? FULL : null
  // The last one lets snapshots be written, and refuses the segments that begin with them.
  for (const path of [/./, /entries-.*\.new$/]) {
    disk.fail = full(path)
    const append = batch({ entries: [one(7)] })
    for (const write of path.test('entry') ? [append, SNAPSHOT] : [SNAPSHOT]) {
      t.ok(isSwarmdiskError(await failureOf(store.persist(write)), 'disk-full'))
    }
    t.ok(isSwarmdiskError(await failureOf(store.compact(snapshotAt(5, 1))), 'disk-full'))
    t.deepEqual([...(await filesOf(disk)).keys()], before, 'what was tried takes no space')
  }
  disk.fail = full(/./)
  t.equal(await failureOf(store.close()), null, 'it can be stopped')
  const second = await openStore(disk)
  t.deepEqual(await differences(second, model), [], 'and started, and has lost nothing')
  disk.fail = null
  const write = batch({ entries: [one(7)], commit: at(6) })
  await second.store.persist(write)
  const again = await openStore(disk.crash())
  t.deepEqual(await differences(again, afterBatch(model, write)), [])
})

test('a manager can start and stop on a disk that was full from the beginning', async t => {
  const disk = emptyDisk()
  disk.fail = operation => (operation === 'write' ? FULL : null)
  const { store } = await openStore(disk)
  const refused = await failureOf(store.persist(batch({ hardState: hardState(1) })))
  t.ok(isSwarmdiskError(refused, 'disk-full'))
  await store.close()
  const again = await openStore(disk)
  t.deepEqual(await differences(again, EMPTY), [])
  disk.fail = null
  await again.store.persist(batch({ hardState: hardState(1) }))
  t.equal((await openStore(disk.crash())).start.hardState.term, 1)
})

/** A disk that is full in the middle of a write, as real ones are. */
function fullHalfWay(disk: Disk): Disk {
  return {
    open: async (path, how) => {
      const file = await disk.open(path, how)
      if (!file) return null
      const half = async (data: Uint8Array, position: number): Promise<void> => {
        await file.write(data.subarray(0, data.byteLength / 2), position)
        throw FULL
      }
      return { ...file, write: half }
    },
    list: folder => disk.list(folder),
    makeFolder: folder => disk.makeFolder(folder),
    rename: (from, to) => disk.rename(from, to),
    link: (from, to) => disk.link(from, to),
    remove: path => disk.remove(path),
    syncFolder: folder => disk.syncFolder(folder),
    space: () => disk.space(),
  }
}

test('half a write is taken back', async t => {
  const disk = emptyDisk()
  const { store, model } = await twoSegments(disk)
  await store.close()
  const before = await filesOf(disk)
  const failing = await openStore(fullHalfWay(disk))
  const writes = [batch({ entries: [one(7), one(8)] }), batch({ entries: [one(7)] }), SNAPSHOT]
  for (const write of writes) {
    t.ok(isSwarmdiskError(await failureOf(failing.store.persist(write)), 'disk-full'))
  }
  t.ok(isSwarmdiskError(await failureOf(failing.store.compact(snapshotAt(5, 1))), 'disk-full'))
  await failing.store.close()
  t.deepEqual(await filesOf(disk), before, 'not a byte is left')
  t.deepEqual(await differences(await openStore(disk.crash()), model), [])
})

test('after a failed sync nothing is acknowledged any more', async t => {
  const disk = emptyDisk()
  const { store, model } = await twoSegments(disk)
  disk.fail = operation =>
    operation === 'sync' ? new SwarmdiskError('disk-error', 'input/output error') : null
  const write = batch({ entries: [one(7)] })
  const first = await failureOf(store.persist(write))
  t.match(String(first), /input\/output error.*until the disk is repaired/)
  disk.fail = null
  for (const again of [() => store.persist(write), () => store.compact(snapshotAt(5, 1))]) {
    t.ok(isSwarmdiskError(await failureOf(again()), 'disk-error'), 'nobody knows what is there')
  }
  t.equal((await store.records(epoch(1), epoch(5), 10)).length, 5, 'reading goes on')
  await store.close()
  const state = await stateOf(disk.crash(), { model, after: afterBatch(model, write) })
  t.ok(['before', 'after'].includes(state), `a restart finds out: ${state}`)
})

test('segments that a leader replaced stay void while the disk refuses to remove them', async t => {
  const disk = emptyDisk()
  const { store, model } = await twoSegments(disk)
  disk.fail = operation =>
    operation === 'remove' ? new SwarmdiskError('disk-error', 'not today') : null
  t.ok(isSwarmdiskError(await failureOf(store.persist(SNAPSHOT)), 'disk-error'))
  disk.fail = null
  await store.close()
  let { store: next } = await openStore(disk)
  let removals = 0
  disk.fail = (operation, path) => {
    const old = operation === 'remove' && /entries-000000000[12]$/.test(path)
    return old && ++removals > 0 ? new SwarmdiskError('disk-error', 'not today') : null
  }
  await next.persist(SNAPSHOT)
  let wanted = afterBatch(model, SNAPSHOT)
  for (let i = 32; i < 40; i++) {
    const write = batch({ entries: [entry(i, { term: 5, epoch: 59 + i })], commit: at(i) })
    await next.persist(write)
    wanted = afterBatch(wanted, write)
    await next.compact(snapshotAt(i, 5))
    wanted = afterCompaction(wanted, snapshotAt(i, 5))
    await next.close()
    const again = await openStore(disk)
    next = again.store
    const differs = await differences(again, wanted)
    if (differs.length > 0) t.fail(`at ${i}: ${differs.join('; ')}`)
  }
  t.ok(removals > 8, `${removals} attempts`)
  disk.fail = null
  await next.close()
  await openStore(disk)
  const names = [...(await filesOf(disk)).keys()]
  t.notOk(names.includes('manager/entries-0000000001'), 'at last they are gone')
})

test('on a real disk', async t => {
  const root = mkdtempSync(join(tmpdir(), 'swarmdisk-raft-store-'))
  t.teardown(() => rmSync(root, { recursive: true }))
  const { store, model } = await twoSegments(new NodeDisk({ root }))
  await store.close()
  const second = await openStore(new NodeDisk({ root }))
  t.deepEqual(await differences(second, model), [], 'what was written')
  await second.store.persist(SNAPSHOT)
  const many = Array.from({ length: 200 }, (_, i) => entry(32 + i, { term: 5, epoch: 91 + i }))
  const write = batch({ entries: many, commit: at(200) })
  await second.store.persist(write)
  await second.store.compact(snapshotAt(100, 5))
  const third = await openStore(new NodeDisk({ root }))
  const wanted = afterCompaction(afterBatch(afterBatch(model, SNAPSHOT), write), snapshotAt(100, 5))
  t.deepEqual(await differences(third, wanted), [], 'a snapshot, entries, another snapshot')
  await third.store.close()
})
