// I2 on one disk: whenever the power fails, and whichever subset of the unsynced writes survives,
// every block is one of the writes since the last flush or the one before. First all subsets of
// small workloads at every moment, then random ones of concurrent workloads.
import test from 'tape'
import { silentLog } from '../../../src/base/log.js'
import { FIRST_LAYER } from '../../../src/layout/layers.js'
import { FileBlockStore } from '../../../src/storage/store/file-block-store.js'
import type { ShardStore } from '../../../src/storage/shard-store.js'
import { everyOutcome } from '../../simulator/outcomes.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { NO_LATENCY, SimulatedDisk } from '../../simulator/simulated-disk.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'
import { BlockModel, checkAllowed, type Allowed } from './block-model.js'

/** Nothing here waits for it, but where a test has its own. */
const clock = new VirtualClock()
const NAME = { volume: 7, shard: 3 }
// More of them: REPLAY_SEEDS=3000 npx tsx test/storage/store/replay.test.ts
const SEEDS = Number(process.env['REPLAY_SEEDS'] ?? 60)

function newDisk(seed = 1): SimulatedDisk {
  const random = new SeededRandom(seed)
  return new SimulatedDisk({ clock: new VirtualClock(), random, latency: NO_LATENCY })
}

async function open(disk: SimulatedDisk): Promise<{ store: FileBlockStore; shard: ShardStore }> {
  const limits = { punchLeastBlocks: 1 }
  const store = await FileBlockStore.open({ clock, disk, log: silentLog, limits })
  return { store, shard: await store.openShard(NAME, [FIRST_LAYER]) }
}

type Step = readonly [block: number, ...values: number[]] | 'flush'

/** 512 is the first block of the second index page. */
const WORKLOADS: Readonly<Record<string, readonly Step[]>> = {
  'a first write': [[0, 1]],
  'a first write and a flush': [[0, 1], 'flush'],
  'overwrites after a flush': [[0, 1], 'flush', [0, 2], [0, 3]],
  'overwrites before any flush': [
    [0, 1],
    [0, 2],
    [0, 3],
  ],
  'zeroes over data': [[0, 1], 'flush', [0, 0], [0, 2]],
  'data over zeroes over data': [[0, 1], 'flush', [0, 0], 'flush', [0, 2], [0, 3], 'flush', [0, 4]],
  'a write and a flush, again and again': [[0, 1], 'flush', [0, 2], 'flush', [0, 3], 'flush'],
  'two blocks of one region': [[0, 1], [1, 2], 'flush', [1, 3, 4], [0, 5]],
  'a new block after a flush, then the old one': [[0, 1], 'flush', [1, 2], [0, 3], [0, 4]],
  'over the border of two regions': [[511, 1, 2], 'flush', [511, 0, 3], [512, 4]],
}

for (const [title, steps] of Object.entries(WORKLOADS)) {
  test(`every outcome of a crash: ${title}`, async t => {
    const disk = newDisk()
    const model = new BlockModel([0, 1, 2, 511, 512])
    const moments: { readonly disk: SimulatedDisk; readonly allowed: Allowed }[] = []
    disk.observe = () => {
      const allowed = model.allowed()
      for (const outcome of everyOutcome(disk)) moments.push({ disk: outcome, allowed })
    }
    const { shard } = await open(disk)
    for (const step of steps) {
      if (step === 'flush') await model.flush(shard)
      else await model.write(shard, step[0], step.slice(1))
    }
    for (const moment of moments) {
      const reopened = await open(moment.disk)
      await checkAllowed(reopened.shard, moment.allowed)
    }
    // What was flushed at the end is exactly there.
    const durable = await open(disk.survivor(disk.choices().map(() => 0)))
    await checkAllowed(durable.shard, model.allowed())
    t.pass(`${moments.length} outcomes`)
  })
}

test('a recovery that is cut short is done again', async t => {
  const disk = newDisk()
  const model = new BlockModel([0, 1, 2])
  const { shard } = await open(disk)
  await model.write(shard, 0, [1, 2])
  await model.flush(shard)
  await model.write(shard, 0, [3, 0, 4])
  await model.write(shard, 0, [5])
  const allowed = model.allowed()
  let outcomes = 0
  for (const first of everyOutcome(disk)) {
    const again: SimulatedDisk[] = []
    first.observe = () => again.push(...everyOutcome(first))
    await open(first)
    for (const second of again) {
      outcomes++
      await checkAllowed((await open(second)).shard, allowed)
    }
  }
  t.pass(`${outcomes} outcomes`)
})

test('a process killed while it creates a shard leaves nothing half durable', async t => {
  const killed: Promise<SimulatedDisk>[] = []
  let steps = 0
  const count = newDisk()
  count.observe = () => steps++
  await open(count)
  for (let kill = 1; kill <= steps; kill++) {
    const victim = newDisk(kill)
    let left = kill
    killed.push(
      new Promise(resolve => {
        victim.observe = () => {
          if (--left === 0) resolve(victim.restart())
        }
        void open(victim)
      }),
    )
  }
  for (const dead of await Promise.all(killed)) {
    const model = new BlockModel([0])
    const { shard } = await open(dead)
    await model.write(shard, 0, [1])
    await model.flush(shard)
    const durable = dead.survivor(dead.choices().map(() => 0))
    await checkAllowed((await open(durable)).shard, model.allowed())
  }
  t.pass(`${steps} moments`)
})

const BLOCKS = [0, 1, 2, 3, 510, 511, 512, 513, 1022, 1023, 1024, 1025, 1535, 1536]

test(`random crashes of concurrent workloads, ${SEEDS} seeds`, async t => {
  let crashes = 0
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      crashes += await randomRun(seed)
    } catch (error) {
      t.fail(`seed ${seed}: ${String(error)}`)
      break
    }
  }
  t.pass(`${crashes} crashes`)
})

async function randomRun(seed: number): Promise<number> {
  const random = new SeededRandom(seed)
  const clock = new VirtualClock()
  const latency = { read: 0.1, write: random.pick([0.02, 1]), sync: 1.5 }
  let disk = new SimulatedDisk({ clock, random, latency })
  let model = new BlockModel(BLOCKS)
  for (let life = 0; life < 4; life++) {
    const { shard } = await clock.settle('opening', open(disk))
    const problems: string[] = []
    const calls = 5 + random.below(40)
    for (let i = 0; i < calls; i++) {
      call(shard, { model, random, problems })
      if (random.chance(0.6)) await clock.advance(random.below(300) / 100)
    }
    if (problems.length > 0) throw new Error(problems[0])
    // Whatever is in flight at this moment is cut.
    const killed = random.chance(0.3)
    const cut = random.chance(0.3)
    const allowed = model.allowed(killed && !cut ? 'process' : 'machine')
    disk = killed ? disk.restart() : disk.crash()
    if (cut) {
      void open(disk)
      await clock.advance(random.below(800) / 100)
      disk = disk.crash()
    }
    const { store, shard: reopened } = await clock.settle('recovery', open(disk))
    const found = await clock.settle('checking', checkAllowed(reopened, allowed))
    model = BlockModel.restarted(found)
    await clock.settle('a clean stop', store.close())
  }
  return 4
}

function call(
  shard: ShardStore,
  using: { model: BlockModel; random: SeededRandom; problems: string[] },
): void {
  const { model, random, problems } = using
  const failed = (error: unknown): void => void problems.push(String(error))
  if (random.chance(0.15)) {
    model.flush(shard).catch(failed)
    return
  }
  const from = random.below(BLOCKS.length)
  let count = 1
  while (random.chance(0.5) && BLOCKS[from + count] === BLOCKS[from]! + count) count++
  if (random.chance(0.2)) {
    model.read(shard, BLOCKS[from]!, count).then(problem => {
      if (problem) problems.push(problem)
    }, failed)
    return
  }
  const values = Array.from({ length: count }, () => {
    return random.chance(0.25) ? 0 : 1 + random.below(255)
  })
  model.write(shard, BLOCKS[from]!, values).catch(failed)
}
