// The log of dirty regions: what a crash may leave of it, and that it stays small.
import test from 'tape'
import { SwarmdiskError, isSwarmdiskError } from '../../../../src/base/errors.js'
import { silentLog } from '../../../../src/base/log.js'
import { DIRTY_LOG_PATH, DirtyLog } from '../../../../src/storage/store/dirty/dirty-log.js'
import {
  decodeLog,
  encodeLogHeader,
  encodeRecords,
  type LogRecord,
  type RegionName,
} from '../../../../src/storage/store/dirty/dirty-log-format.js'
import { everyOutcome } from '../../../simulator/outcomes.js'
import { SeededRandom } from '../../../simulator/seeded-random.js'
import { NO_LATENCY, SimulatedDisk } from '../../../simulator/simulated-disk.js'
import { VirtualClock } from '../../../simulator/virtual-clock.js'

const region = (page: number): RegionName => ({ volume: 1, shard: 2, layer: 1, page })
const undo = (value: number): Uint8Array => new Uint8Array(4096).fill(value)

async function prepared(): Promise<SimulatedDisk> {
  const random = new SeededRandom(1)
  const disk = new SimulatedDisk({ clock: new VirtualClock(), random, latency: NO_LATENCY })
  await disk.makeFolder('data')
  await disk.syncFolder('')
  return disk
}

function open(disk: SimulatedDisk, bytes = 1_000_000): Promise<DirtyLog> {
  return DirtyLog.open({ disk, log: silentLog, bytes })
}

async function pages(disk: SimulatedDisk): Promise<string> {
  const found = (await open(disk)).regions()
  return found.map(({ region: { page }, undo: bytes }) => `${page}:${bytes?.[0] ?? '-'}`).join(' ')
}

// Region 2 was removed before: it may be found or not.
const ALLOWED_WHILE_ADDED = ['1:1', '1:1 2:-', '1:9']

test('what add promised is found after any crash, in its newest version', async t => {
  const disk = await prepared()
  const log = await open(disk)
  await log.add([
    { region: region(1), undo: undo(1) },
    { region: region(2), undo: null },
  ])
  log.remove([region(2)])
  // Collected at each change and opened afterwards: the disk does not stand still for the checks.
  const outcomes: SimulatedDisk[] = []
  disk.observe = () => outcomes.push(...everyOutcome(disk))
  await log.add([{ region: region(1), undo: undo(9) }])
  disk.observe = null
  const seen = new Set<string>()
  for (const outcome of outcomes) seen.add(await pages(outcome))
  t.deepEqual([...seen].sort(), ALLOWED_WHILE_ADDED, 'while it is added')
  for (const outcome of everyOutcome(disk)) t.equal(await pages(outcome), '1:9')
})

test('closing leaves nothing but what is dirty', async t => {
  const disk = await prepared()
  const log = await open(disk)
  await log.add([1, 2, 3].map(page => ({ region: region(page), undo: undo(page) })))
  log.remove([region(1), region(3)])
  log.remove([region(77)])
  await log.close()
  t.equal(await pages(disk), '2:2')
  const next = await open(disk)
  next.removeLayer({ volume: 1, shard: 2, layer: 1 })
  await next.close()
  t.equal(await pages(disk), '')
})

test('the log is rewritten when it is large and mostly not needed', async t => {
  const disk = await prepared()
  const log = await open(disk, 20_000)
  await log.add([{ region: region(0), undo: undo(7) }])
  for (let page = 1; page < 200; page++) {
    await log.add([{ region: region(page), undo: undo(page) }])
    log.remove([region(page)])
  }
  const file = await disk.open(DIRTY_LOG_PATH, 'existing')
  t.ok((await file!.size()) < 30_000, `${await file!.size()} bytes`)
  t.equal((await pages(disk)).split(' ')[0], '0:7')
})

test('an append that failed is followed by a rewrite', async t => {
  const disk = await prepared()
  const log = await open(disk)
  await log.add([{ region: region(1), undo: undo(1) }])
  disk.fail = operation => {
    return operation === 'sync' ? new SwarmdiskError('disk-error', 'EIO') : null
  }
  const second = log.add([{ region: region(2), undo: undo(2) }])
  const failed: unknown = await second.catch((e: unknown) => e)
  t.ok(isSwarmdiskError(failed, 'disk-error'))
  disk.fail = null
  await log.add([{ region: region(3), undo: undo(3) }])
  for (const outcome of everyOutcome(disk)) {
    const found = await pages(outcome)
    t.ok(found.includes('1:1') && found.includes('3:3'), found)
  }
})

test('a torn or foreign tail is cut', t => {
  const records: LogRecord[] = [
    { kind: 'dirty', region: region(1), undo: undo(1) },
    { kind: 'clean', region: region(2) },
    { kind: 'dirty', region: region(3), undo: null },
  ]
  const header = encodeLogHeader(5)
  const body = Buffer.from(encodeRecords(records, { log: 5, first: 0 }))
  const whole = Buffer.concat([header, body])
  const count = (bytes: Uint8Array): number => decodeLog('x', bytes).records.length
  const decoded = decodeLog('x', whole)
  t.equal(decoded.number, 5)
  t.ok(body.equals(encodeRecords(decoded.records, { log: 5, first: 0 })), 'encoded and decoded')
  t.equal(count(Buffer.concat([whole, Buffer.alloc(5000)])), 3, 'zeroes behind it')
  for (let length = header.length; length < whole.length; length += 13) {
    const full = length < header.length + 4128 ? 0 : length < header.length + 4160 ? 1 : 2
    if (count(whole.subarray(0, length)) !== full) t.fail(`cut to ${length}`)
  }
  for (let at = header.length; at < whole.length; at += 7) {
    const damaged = Buffer.from(whole)
    damaged[at]! ^= 4
    if (count(damaged) === 3) t.fail(`a flipped bit at ${at} was not seen`)
  }
  const stranger = encodeRecords(records, { log: 4, first: 3 })
  t.equal(count(Buffer.concat([whole, stranger])), 3, 'records of an older log')
  const early = encodeRecords(records, { log: 5, first: 1 })
  t.equal(count(Buffer.concat([whole, early])), 3, 'records out of order')
  t.end()
})
