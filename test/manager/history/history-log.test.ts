// What is on the disk after crashes and damage: a torn last frame is cut, damage is refused, every
// outcome of a power cut is the state before or after a change.
import test from 'tape'
import { epoch } from '../../../src/base/brands.js'
import { isSwarmdiskError, SwarmdiskError } from '../../../src/base/errors.js'
import { scanFrames } from '../../../src/manager/history/version-1/frames.js'
import { testPeer } from '../../helpers/scripted-peers.js'
import { everyOutcome } from '../../simulator/outcomes.js'
import {
  CREATED,
  diskOf,
  emptyDisk,
  filesOf,
  FIRST_SEGMENT,
  openHistory,
  ORIGIN,
  registered,
} from './history-fixture.js'

/** Four frames, epochs 1 to 4, from a manager that was killed: no mark of a clean stop. */
async function fourFrames(): Promise<Uint8Array> {
  const disk = emptyDisk()
  const history = await openHistory(disk)
  await history.propose(CREATED, ORIGIN)
  for (const n of [2, 3, 4]) await history.propose(registered(testPeer(n)), ORIGIN)
  const bytes = (await filesOf(disk)).get(FIRST_SEGMENT)
  if (!bytes) throw new Error('no segment')
  return bytes
}

async function openBytes(bytes: Uint8Array): ReturnType<typeof openHistory> {
  return openHistory(await diskOf(new Map([[FIRST_SEGMENT, bytes]])))
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
  } catch (error) {
    return error
  }
  return null
}

function flipped(bytes: Uint8Array, offset: number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy[offset]! ^= 1
  return copy
}

test('a file cut anywhere in its last frame loses that frame and goes on', async t => {
  const bytes = await fourFrames()
  const { frames } = scanFrames(bytes)
  const last = frames.at(-1)!
  const wrong: number[] = []
  for (let end = last.position; end < bytes.length; end++) {
    const disk = await diskOf(new Map([[FIRST_SEGMENT, bytes.slice(0, end)]]))
    const history = await openHistory(disk)
    if (history.current()?.epoch !== 3) wrong.push(end)
    await history.propose(registered(testPeer(5)), ORIGIN)
    const again = await openHistory(disk.crash())
    if (again.current()?.epoch !== 4 || !again.current()?.servers.has(testPeer(5))) wrong.push(end)
  }
  t.deepEqual(wrong, [], `${bytes.length - last.position} lengths`)
  t.equal((await openBytes(bytes)).current()?.epoch, 4, 'whole, all is there')
})

test('a file cut within its header never held anything', async t => {
  const bytes = await fourFrames()
  for (const end of [0, 1, 20, 47, 48]) {
    const history = await openBytes(bytes.slice(0, end))
    t.equal(history.current(), null, `${end} bytes`)
    const result = await history.propose(CREATED, ORIGIN)
    t.equal(result.kind, 'committed', 'a cluster can be created')
  }
})

test('a flipped bit before the last frame is damage, and is refused', async t => {
  const bytes = await fourFrames()
  const { frames } = scanFrames(bytes)
  const accepted: number[] = []
  for (let offset = 0; offset < frames.at(-1)!.position; offset++) {
    const error = await failureOf(openBytes(flipped(bytes, offset)))
    if (!isSwarmdiskError(error, 'corrupt')) accepted.push(offset)
  }
  t.deepEqual(accepted, [], `${frames.at(-1)!.position} offsets`)
  const error = await failureOf(openBytes(flipped(bytes, 100)))
  t.match(String(error), /log-0000000001.*restore the data directory/, 'the sentence says what')
})

test('after a clean stop a flipped bit in the last record is refused, too', async t => {
  const disk = emptyDisk()
  const history = await openHistory(disk)
  await history.propose(CREATED, ORIGIN)
  await history.close()
  const bytes = (await filesOf(disk)).get(FIRST_SEGMENT)!
  const [first] = scanFrames(bytes).frames
  const error = await failureOf(openBytes(flipped(bytes, first!.position + first!.bytes - 1)))
  t.ok(isSwarmdiskError(error, 'corrupt'), String(error))
  t.equal((await openBytes(bytes)).current()?.epoch, 1, 'else it opens')
})

test('a newer format is named', async t => {
  const bytes = await fourFrames()
  const { crc32 } = await import('node:zlib')
  const view = Buffer.from(bytes)
  view.writeUInt32LE(2, 8)
  view.writeUInt32LE(crc32(view.subarray(0, 44)), 44)
  const error = await failureOf(openBytes(view))
  t.ok(isSwarmdiskError(error, 'data-directory'), String(error))
})

test('every outcome of a power cut is the state before or after the change', async t => {
  const seen = new Set<number>()
  const disk = emptyDisk()
  const history = await openHistory(disk)
  await history.propose(CREATED, ORIGIN)
  const pending: Promise<void>[] = []
  let outcomes = 0
  disk.observe = () => {
    for (const survivor of everyOutcome(disk)) {
      outcomes++
      pending.push(
        openHistory(survivor).then(opened => {
          const current = opened.current()
          seen.add(current?.epoch ?? 0)
          if (current?.epoch === 2) t.ok(current.servers.has(testPeer(2)), 'with what it says')
        }),
      )
    }
  }
  await history.propose(registered(testPeer(2)), ORIGIN)
  disk.observe = null
  await Promise.all(pending)
  t.ok(outcomes > 2, `${outcomes} outcomes`)
  t.deepEqual([...seen].sort(), [1, 2], 'one of two')
  const after = await openHistory(disk.crash())
  t.equal(after.current()?.epoch, 2, 'what was answered is there')
})

test('a full disk refuses changes until there is room, and loses nothing', async t => {
  const disk = emptyDisk()
  const history = await openHistory(disk)
  await history.propose(CREATED, ORIGIN)
  disk.fail = operation =>
    operation === 'write' ? new SwarmdiskError('disk-full', 'the disk is full') : null
  const error = await failureOf(history.propose(registered(testPeer(2)), ORIGIN))
  t.ok(isSwarmdiskError(error, 'disk-full'), String(error))
  t.equal(history.current()?.epoch, 1, 'nothing has changed')
  disk.fail = null
  t.equal((await history.propose(registered(testPeer(3)), ORIGIN)).kind, 'committed')
  const again = await openHistory(disk.crash())
  t.deepEqual([...again.current()!.servers.keys()], [testPeer(3)], 'only what was acknowledged')
})

test('after a failed sync nothing is acknowledged any more', async t => {
  const disk = emptyDisk()
  const history = await openHistory(disk)
  await history.propose(CREATED, ORIGIN)
  disk.fail = operation =>
    operation === 'sync' ? new SwarmdiskError('disk-error', 'input/output error') : null
  const first = await failureOf(history.propose(registered(testPeer(2)), ORIGIN))
  t.ok(isSwarmdiskError(first, 'disk-error'), String(first))
  disk.fail = null
  const second = await failureOf(history.propose(registered(testPeer(2)), ORIGIN))
  t.ok(isSwarmdiskError(second, 'disk-error'), 'nobody knows what the first left on the disk')
  await history.close()
  const again = await openHistory(disk.crash())
  t.ok([1, 2].includes(again.current()!.epoch), 'a restart finds out')
})

test('a missing segment is noticed', async t => {
  const bytes = await fourFrames()
  const files = new Map([['manager/log-0000000005', bytes]])
  const error = await failureOf(openHistory(await diskOf(files)))
  t.ok(isSwarmdiskError(error, 'corrupt'), String(error))
  t.equal((await (await openBytes(bytes)).records(epoch(1), 10)).length, 4)
})
