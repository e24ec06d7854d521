import test from 'tape'
import { isSwarmdiskError } from '../../src/base/errors.js'
import { diskContract } from '../contracts/disk-contract.js'
import { everyOutcome } from './outcomes.js'
import { SeededRandom } from './seeded-random.js'
import { NO_LATENCY, SimulatedDisk } from './simulated-disk.js'
import { VirtualClock } from './virtual-clock.js'

diskContract('SimulatedDisk', () => {
  const clock = new VirtualClock()
  const disk = new SimulatedDisk({ clock, random: new SeededRandom(1) })
  return Promise.resolve({
    disk,
    run: promise => clock.settle('the case', promise),
    end: () => Promise.resolve(),
  })
})

function newDisk(seed = 1): SimulatedDisk {
  const random = new SeededRandom(seed)
  return new SimulatedDisk({ clock: new VirtualClock(), random, latency: NO_LATENCY })
}

const page = (value: number): Uint8Array => new Uint8Array(4096).fill(value)

async function firstBytes(disk: SimulatedDisk, path: string, pages: number): Promise<string> {
  const file = await disk.open(path, 'existing')
  if (!file) return 'none'
  const into = new Uint8Array(4096)
  const found: string[] = []
  for (let i = 0; i < pages; i++) {
    found.push((await file.read(into, i * 4096)) === 0 ? '-' : String(into[0]))
  }
  return found.join(' ')
}

test('a crash keeps any subset of what was not synced, and all of what was', async t => {
  const disk = newDisk()
  const file = await disk.open('x', 'create')
  await file!.write(page(1), 0)
  await file!.write(page(1), 4096)
  await file!.sync()
  await disk.syncFolder('')
  await file!.write(page(2), 0)
  await file!.write(page(3), 0)
  await file!.write(page(4), 4096)
  const found = new Set<string>()
  for (const outcome of everyOutcome(disk)) found.add(await firstBytes(outcome, 'x', 2))
  t.deepEqual([...found].sort(), ['1 1', '1 4', '2 1', '2 4', '3 1', '3 4'])
  await file!.sync()
  t.equal(disk.choices().length, 0, 'nothing is undecided after a sync')
})

test('sizes and names are undecided too', async t => {
  const disk = newDisk()
  const file = await disk.open('x', 'create')
  await file!.write(page(1), 0)
  const found = new Set<string>()
  for (const outcome of everyOutcome(disk)) found.add(await firstBytes(outcome, 'x', 1))
  t.deepEqual([...found].sort(), ['-', '0', '1', 'none'])
  await file!.sync()
  await disk.syncFolder('')
  await disk.rename('x', 'y')
  const names = new Set<string>()
  for (const outcome of everyOutcome(disk)) names.add((await outcome.list('')).join())
  t.deepEqual([...names].sort(), ['x', 'y'])
})

test('a new name that survives is of the file that was renamed', async t => {
  const disk = newDisk()
  await (await disk.open('x.new', 'create'))!.write(page(1), 0)
  await disk.syncFolder('')
  await disk.remove('x.new')
  const file = await disk.open('x.new', 'create')
  await file!.write(page(2), 0)
  await file!.sync()
  await disk.rename('x.new', 'x')
  const found = new Set<string>()
  for (const outcome of everyOutcome(disk)) found.add(await firstBytes(outcome, 'x', 1))
  t.deepEqual([...found].sort(), ['2', 'none'])
})

test('what the old process has in flight never ends', async t => {
  const clock = new VirtualClock()
  const disk = new SimulatedDisk({ clock, random: new SeededRandom(3) })
  const file = await disk.open('x', 'create')
  let ended = false
  void file!.sync().then(() => (ended = true))
  const next = disk.crash()
  void file!.write(page(1), 0).then(() => (ended = true))
  await clock.advance(1000)
  t.notOk(ended)
  t.ok((await next.list('')).length <= 1, 'the next process works')
})

test('a restart of the process alone loses nothing', async t => {
  const disk = newDisk()
  const file = await disk.open('x', 'create')
  await file!.write(page(7), 0)
  const next = disk.restart()
  t.equal(await firstBytes(next, 'x', 1), '7')
  t.ok(next.choices().length > 0, 'but it is still not synced')
})

test('capacity, injected errors, flipped bits, overlapping operations', async t => {
  const random = new SeededRandom(1)
  const clock = new VirtualClock()
  const disk = new SimulatedDisk({ clock, random, latency: NO_LATENCY, capacity: 8192 })
  const file = await disk.open('x', 'create')
  await file!.write(page(1), 0)
  await file!.write(page(2), 8192)
  const full: unknown = await file!.write(page(3), 4096).catch((e: unknown) => e)
  t.ok(isSwarmdiskError(full, 'disk-full'))
  await file!.write(page(4), 0)
  t.pass('overwriting needs no space')
  disk.bitFlip('x', 1)
  const into = new Uint8Array(2)
  await file!.read(into, 0)
  t.deepEqual([...into], [4, 5])
  const overlap: unknown = await Promise.all([file!.write(page(1), 0), file!.read(into, 10)]).catch(
    (e: unknown) => e,
  )
  t.match(String(overlap), /overlapping operations/)
})
