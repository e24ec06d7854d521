// Damage of every kind: what only a crash can have left is cut off, everything else is refused with
// a sentence, and nothing is ever taken for an empty disk.
import test from 'tape'
import { crc32 } from 'node:zlib'
import { epoch } from '../../../../src/base/brands.js'
import { isSwarmdiskError } from '../../../../src/base/errors.js'
import { scanFrames } from '../../../../src/manager/history/store/segment-format.js'
import { emptyDisk, diskOf, filesOf, type Files } from '../history-fixture.js'
import {
  appendEach,
  at,
  batch,
  entry,
  failureOf,
  flipped,
  hardState,
  openStore,
  snapshotAt,
} from '../raft-store-fixture.js'

const [FIRST, SECOND] = ['manager/entries-0000000001', 'manager/entries-0000000002']
const MARK = 'manager/snapshot'
const SNAPSHOT = 'manager/snapshot-0000000004'

/** Entries 1 to 4 in an older segment, 5 to 8 behind the snapshot; the manager was killed. */
async function killed(): Promise<Files> {
  const disk = emptyDisk()
  const { store } = await openStore(disk)
  await appendEach(store, 1, 4)
  await store.compact(snapshotAt(4, 1))
  await appendEach(store, 5, 7)
  const entries = [entry(8, { term: 1, epoch: 8 })]
  await store.persist(batch({ entries, commit: at(7), hardState: hardState(2) }))
  return filesOf(disk)
}

async function stopped(): Promise<Files> {
  const disk = await diskOf(await killed())
  const { store } = await openStore(disk)
  await store.close()
  return filesOf(disk)
}

function changed(files: Files, path: string, bytes: Uint8Array | null): Files {
  const copy = new Map(files)
  if (bytes) copy.set(path, bytes)
  else copy.delete(path)
  return copy
}

async function refusal(files: Files): Promise<unknown> {
  return failureOf(openStore(await diskOf(files)))
}

test('a segment cut anywhere in its last frame loses that frame and goes on', async t => {
  const files = await killed()
  const bytes = files.get(SECOND)!
  const last = scanFrames(bytes).frames.at(-1)!
  const wrong: number[] = []
  for (let end = last.position; end < bytes.length; end++) {
    const disk = await diskOf(changed(files, SECOND, bytes.slice(0, end)))
    const { store, start } = await openStore(disk)
    if (start.entries.at(-1)?.index !== 7 || start.hardState.term !== 0) wrong.push(end)
    await store.persist(batch({ entries: [entry(8, { term: 3, epoch: 8 })] }))
    const again = await openStore(disk.crash())
    if (again.start.entries.at(-1)?.term !== 3) wrong.push(end)
  }
  t.deepEqual(wrong, [], `${bytes.length - last.position} lengths`)
  const { start } = await openStore(await diskOf(files))
  t.deepEqual([start.entries.at(-1)?.index, start.hardState.term], [8, 2], 'whole, all is there')
})

test('what was cut off is gone from the file, so that it may become an older segment', async t => {
  const files = await killed()
  const bytes = files.get(SECOND)!
  const disk = await diskOf(changed(files, SECOND, bytes.slice(0, -1)))
  const { store } = await openStore(disk)
  await store.compact(snapshotAt(7, 1))
  const again = await openStore(disk.crash())
  const records = await again.store.records(epoch(1), epoch(8), 10)
  t.deepEqual(
    records.map(record => record.epoch),
    [1, 2, 3, 4, 5, 6, 7].map(epoch),
  )
})

test('a flipped bit before the last frame is damage, and is refused', async t => {
  const files = await killed()
  const bytes = files.get(SECOND)!
  const last = scanFrames(bytes).frames.at(-1)!
  const accepted: number[] = []
  for (let offset = 0; offset < last.position; offset++) {
    const error = await refusal(changed(files, SECOND, flipped(bytes, offset)))
    if (!isSwarmdiskError(error, 'corrupt')) accepted.push(offset)
  }
  t.deepEqual(accepted, [], `${last.position} offsets`)
  const error = await refusal(changed(files, SECOND, flipped(bytes, 100)))
  t.match(String(error), /entries-0000000002.*restore the data directory/, 'the sentence says what')
})

test('after a clean stop a flipped bit in the last record is refused, too', async t => {
  const files = await stopped()
  const bytes = files.get(SECOND)!
  const endOfLastRecord = (await killed()).get(SECOND)!.length
  const error = await refusal(changed(files, SECOND, flipped(bytes, endOfLastRecord - 1)))
  t.ok(isSwarmdiskError(error, 'corrupt'), String(error))
  const { start } = await openStore(await diskOf(files))
  t.equal(start.entries.at(-1)?.index, 8, 'else it opens')
})

test('a stop without changes leaves no second mark', async t => {
  const files = await stopped()
  const disk = await diskOf(files)
  for (let i = 0; i < 3; i++) await (await openStore(disk)).store.close()
  t.deepEqual(await filesOf(disk), files)
})

test('the first frame of a segment is never torn, so a segment cut there is damaged', async t => {
  const files = await stopped()
  const bytes = files.get(SECOND)!
  const [, second] = scanFrames(bytes).frames
  for (let end = 0; end < second!.position; end++) {
    const error = await refusal(changed(files, SECOND, bytes.slice(0, end)))
    if (!isSwarmdiskError(error, 'corrupt')) t.fail(`${end} bytes: ${String(error)}`)
  }
  t.equal(await refusal(changed(files, SECOND, bytes.slice(0, second!.position))), null)
})

test('damage to an older segment is found when somebody reads it', async t => {
  const files = await killed()
  const bytes = files.get(FIRST)!
  const header = await refusal(changed(files, FIRST, flipped(bytes, 20)))
  t.ok(isSwarmdiskError(header, 'corrupt'), 'its header at a start')
  const damagedFiles = changed(files, FIRST, flipped(bytes, bytes.length - 1))
  const { store, start } = await openStore(await diskOf(damagedFiles))
  t.equal(start.entries.length, 4, 'the manager starts')
  const error = await failureOf(store.records(epoch(1), epoch(8), 10))
  t.ok(isSwarmdiskError(error, 'corrupt'), String(error))
  t.equal((await store.records(epoch(5), epoch(8), 10)).length, 4, 'newer records are there')
})

test('missing files are noticed', async t => {
  const files = await killed()
  const missing = async (...paths: readonly string[]): Promise<string> => {
    const left = paths.reduce((some, path) => changed(some, path, null), files)
    const error = await refusal(left)
    return isSwarmdiskError(error, 'corrupt') ? error.message : `not refused: ${String(error)}`
  }
  t.match(await missing(SNAPSHOT), /snapshot-0000000004: it is missing/)
  t.match(await missing(MARK), /manager\/snapshot: it is missing/)
  t.match(await missing(MARK, FIRST), /manager\/snapshot: it is missing/)
  t.match(await missing(MARK, SECOND), /manager\/snapshot: it is missing/)
  t.match(await missing(FIRST, SECOND), /all its files entries-… are missing/)
  const third = changed(files, FIRST, null)
  t.equal(await refusal(third), null, 'older segments are there to be listed only')
  const disk = await diskOf(files)
  const { store } = await openStore(disk)
  await store.compact(snapshotAt(7, 1))
  await store.close()
  const gap = changed(await filesOf(disk), SECOND, null)
  t.match(String(await refusal(gap)), /entries-0000000003: the segment before it is missing/)
})

test('files under another name are refused', async t => {
  const files = await killed()
  const other = changed(files, 'manager/entries-0000000003', files.get(SECOND)!)
  t.match(String(await refusal(other)), /its name and its header disagree/)
  const snapshot = changed(files, SNAPSHOT, null)
  const renamed = changed(snapshot, 'manager/snapshot-0000000009', files.get(SNAPSHOT)!)
  t.match(String(await refusal(renamed)), /snapshot-0000000004: it is missing/)
})

test('a damaged snapshot is refused', async t => {
  const files = await killed()
  const bytes = files.get(SNAPSHOT)!
  const accepted: number[] = []
  for (let offset = 0; offset < bytes.length; offset++) {
    const error = await refusal(changed(files, SNAPSHOT, flipped(bytes, offset)))
    // Four bytes of the header of a durable file are not checked.
    const unchecked = offset >= 28 && offset < 32
    const refused = isSwarmdiskError(error, 'corrupt') || isSwarmdiskError(error, 'data-directory')
    if (refused === unchecked) accepted.push(offset)
  }
  t.deepEqual(accepted, [])
})

test('a newer format is named', async t => {
  const files = await killed()
  const view = Buffer.from(files.get(SECOND)!)
  view.writeUInt32LE(3, 8)
  view.writeUInt32LE(crc32(view.subarray(0, 44)), 44)
  const error = await refusal(changed(files, SECOND, view))
  t.ok(isSwarmdiskError(error, 'data-directory'), String(error))
  t.match(String(error), /version 3 of the history format.*use the newer release/)
})

test('a start clears away what crashes have left', async t => {
  const files = await stopped()
  const left = ['entries-0000000003.new', 'snapshot-0000000009', 'snapshot-0000000009.new']
  const all = [...left, 'snapshot.new', 'log-0000000001']
  const disk = await diskOf(
    new Map([...files, ...all.map(name => [`manager/${name}`, Uint8Array.of(1)] as const)]),
  )
  const joining = await disk.open('manager/joining', 'create')
  await joining!.close()
  const { store } = await openStore(disk)
  await store.close()
  const wanted = [...files.keys(), 'manager/joining'].sort()
  t.deepEqual([...(await filesOf(disk)).keys()].sort(), wanted, "and nobody else's files")
})
