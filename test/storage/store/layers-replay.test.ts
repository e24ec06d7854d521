// Layers, merges and crashes: whenever the power fails, and whichever subset of the unsynced writes
// survives, every layer shows what it may show: frozen ones exactly what they had. First all
// subsets of small workloads at every moment, then random ones of concurrent workloads.
import test from 'tape'
import { silentLog } from '../../../src/base/log.js'
import {
  FIRST_LAYER,
  freeze,
  headOf,
  prune,
  rollBack,
  type LayerRecord,
} from '../../../src/layout/layers.js'
import { FileBlockStore } from '../../../src/storage/store/file-block-store.js'
import type { FileShardStore } from '../../../src/storage/store/file-shard-store.js'
import { everyOutcome } from '../../simulator/outcomes.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { NO_LATENCY, SimulatedDisk } from '../../simulator/simulated-disk.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'
import { checkLayers, LayerModel, type Allowed, type Value } from './layer-model.js'

const NAME = { volume: 7, shard: 3 }
// More of them: REPLAY_SEEDS=3000 npx tsx test/storage/store/layers-replay.test.ts
const SEEDS = Number(process.env['REPLAY_SEEDS'] ?? 60)

interface Opened {
  readonly store: FileBlockStore
  readonly shard: FileShardStore
}

async function open(
  disk: SimulatedDisk,
  { clock, layers }: { readonly clock: VirtualClock; readonly layers: readonly LayerRecord[] },
): Promise<Opened> {
  // Every block that becomes zeroes or absent gives its space back.
  const limits = { punchLeastBlocks: 1 }
  const store = await FileBlockStore.open({ clock, disk, log: silentLog, limits })
  return { store, shard: await store.openShard(NAME, layers) }
}

type Step =
  | readonly ['write', block: number, ...values: number[]]
  | readonly ['adopt', layer: number, block: number, ...values: Value[]]
  | readonly ['forget', layer: number]
  | 'flush'
  | 'freeze'
  | 'merged'

const WORKLOADS: Readonly<Record<string, readonly Step[]>> = {
  'a write above a frozen layer': [['write', 0, 1], 'flush', 'freeze', ['write', 0, 2]],
  'zeroes above data': [['write', 0, 1], 'flush', 'freeze', ['write', 0, 0], 'flush'],
  'little above much: merged down': [
    ['write', 0, 1, 2],
    'flush',
    'freeze',
    ['write', 1, 3],
    ['forget', 1],
    'merged',
    ['write', 1, 4],
  ],
  'much above little: merged up': [
    ['write', 0, 1],
    'flush',
    'freeze',
    ['write', 1, 3, 4],
    ['forget', 1],
    'merged',
    ['write', 0, 5],
  ],
  'writes while it is merged': [
    ['write', 0, 1, 1],
    'flush',
    'freeze',
    ['write', 0, 2],
    'flush',
    ['forget', 1],
    ['write', 0, 3],
    'flush',
    'merged',
  ],
  'a frozen layer is merged': [
    ['write', 0, 1, 1],
    'flush',
    'freeze',
    ['write', 0, 2],
    'flush',
    'freeze',
    ['write', 1, 3],
    ['forget', 1],
    'merged',
  ],
  'absent in a layer of three files': [
    ['write', 0, 1],
    'flush',
    'freeze',
    ['write', 0, 2],
    'flush',
    'freeze',
    ['forget', 1],
    ['forget', 2],
    ['adopt', 3, 0, null],
    'flush',
    'merged',
  ],
  'absent in a layer of two files': [
    ['write', 0, 1, 1],
    'flush',
    'freeze',
    ['write', 0, 2],
    'flush',
    ['forget', 1],
    ['adopt', 2, 0, null],
    'flush',
    'merged',
  ],
}

for (const [title, steps] of Object.entries(WORKLOADS)) {
  test(`every outcome of a crash: ${title}`, async t => {
    const clock = new VirtualClock()
    const random = new SeededRandom(1)
    const disk = new SimulatedDisk({ clock, random, latency: NO_LATENCY })
    const model = new LayerModel([0, 1, 2], [FIRST_LAYER])
    const moments: { disk: SimulatedDisk; layers: readonly LayerRecord[]; allowed: Allowed }[] = []
    const note = (): void => {
      const { layers } = model
      const allowed = model.allowed()
      for (const outcome of everyOutcome(disk)) moments.push({ disk: outcome, layers, allowed })
    }
    const { shard } = await open(disk, { clock, layers: model.layers })
    disk.observe = note
    await play(shard, { model, steps })
    for (const { disk: after, layers, allowed } of moments) {
      const reopened = await open(after, { clock, layers })
      await checkLayers(reopened.shard, { layers, allowed })
      await merged(reopened.shard)
      await checkLayers(reopened.shard, { layers, allowed })
    }
    t.pass(`${moments.length} outcomes`)
  })
}

async function play(
  shard: FileShardStore,
  { model, steps }: { readonly model: LayerModel; readonly steps: readonly Step[] },
): Promise<void> {
  const named = new Set<number>()
  for (const step of steps) {
    if (step === 'flush') await model.flush(shard)
    else if (step === 'merged') await merged(shard)
    else if (step === 'freeze') {
      named.add(model.head)
      const layers = freeze(model.layers)
      await shard.prepareLayers(layers)
      change(shard, { model, layers })
    } else if (step[0] === 'write') await model.write(shard, step[1], step.slice(2) as number[])
    else if (step[0] === 'adopt') {
      const [, layer, block, ...values] = step
      await model.adopt(shard, { layer, block, values })
    } else {
      named.delete(step[1])
      change(shard, { model, layers: prune(model.layers, named) })
    }
  }
}

function change(
  shard: FileShardStore,
  { model, layers }: { readonly model: LayerModel; readonly layers: readonly LayerRecord[] },
): void {
  shard.setLayers(layers)
  model.setLayers(layers)
}

/** On a disk without latency. */
async function merged(shard: FileShardStore): Promise<void> {
  for (let i = 0; shard.merging(); i++) {
    if (i > 10_000) throw new Error('the merge does not end')
    await new Promise(resolve => setImmediate(resolve))
  }
}

// ---- random ------------------------------------------------------------------------------------

const BLOCKS = [0, 1, 2, 3, 62, 63, 64, 65, 510, 511, 512, 513, 1023, 1024, 1536]

test(`random crashes of concurrent workloads, ${SEEDS} seeds`, async t => {
  let merges = 0
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      merges += await new RandomRun(seed).run()
    } catch (error) {
      t.fail(`seed ${seed}: ${String(error)}`)
      break
    }
  }
  t.pass(`${merges} merges were under way`)
})

class RandomRun {
  readonly #random: SeededRandom
  readonly #clock = new VirtualClock()
  #disk: SimulatedDisk
  #model = new LayerModel(BLOCKS, [FIRST_LAYER])
  readonly #named = new Set<number>()
  #problems: string[] = []
  #pending = new Set<Promise<unknown>>()
  /** Adopted into frozen layers and not flushed yet. */
  #loose = false
  #merges = 0

  constructor(seed: number) {
    this.#random = new SeededRandom(seed)
    const latency = { read: 0.1, write: this.#random.pick([0.02, 1]), sync: 1.5 }
    this.#disk = new SimulatedDisk({ clock: this.#clock, random: this.#random, latency })
  }

  async run(): Promise<number> {
    for (let life = 0; life < 4; life++) await this.#life()
    return this.#merges
  }

  async #life(): Promise<void> {
    const { shard } = await this.#open()
    const calls = 10 + this.#random.below(60)
    for (let i = 0; i < calls; i++) {
      if (shard.merging()) this.#merges++
      await this.#step(shard)
      if (this.#random.chance(0.6)) await this.#clock.advance(this.#random.below(300) / 100)
    }
    if (this.#problems.length > 0) throw new Error(this.#problems[0])
    await this.#end()
    const { store, shard: reopened } = await this.#open()
    if (this.#random.chance(0.5)) {
      await this.#clock.until('merged', () => reopened.merging() === null)
      await this.#check(reopened)
    }
    await this.#clock.settle('a clean stop', store.close())
  }

  async #step(shard: FileShardStore): Promise<void> {
    const random = this.#random
    const dice = random.below(100)
    if (dice < 4) await this.#freeze(shard)
    else if (dice < 10) await this.#forget(shard)
    else if (dice < 12) await this.#rollBack(shard)
    else if (dice < 25) this.#call(this.#model.flush(shard))
    else if (dice < 50) this.#look(shard)
    else if (dice < 65) this.#adopt(shard)
    else {
      const [block, count] = this.#range()
      const values = Array.from({ length: count }, () => this.#value() ?? 0)
      this.#call(this.#model.write(shard, block, values))
    }
  }

  // ---- layers -----------------------------------------------------------------------------------

  async #freeze(shard: FileShardStore): Promise<void> {
    const layers = freeze(this.#model.layers)
    await this.#clock.settle('preparing', shard.prepareLayers(layers))
    await this.#quiet(shard)
    this.#named.add(this.#model.head)
    change(shard, { model: this.#model, layers })
  }

  async #forget(shard: FileShardStore): Promise<void> {
    if (this.#named.size === 0) return
    if (this.#loose) await this.#quiet(shard)
    this.#named.delete(this.#random.pick([...this.#named]))
    change(shard, { model: this.#model, layers: prune(this.#model.layers, this.#named) })
  }

  async #rollBack(shard: FileShardStore): Promise<void> {
    if (this.#named.size === 0) return
    const to = this.#random.pick([...this.#named])
    const layers = rollBack(this.#model.layers, { to, named: this.#named })
    await this.#clock.settle('preparing', shard.prepareLayers(layers))
    // Calls of the old head go on; but what is absorbed has to be durable.
    if (this.#loose) await this.#quiet(shard)
    change(shard, { model: this.#model, layers })
  }

  async #quiet(shard: FileShardStore): Promise<void> {
    await this.#clock.settle('calls', Promise.allSettled([...this.#pending]))
    await this.#clock.settle('flush', this.#model.flush(shard))
    this.#loose = false
  }

  // ---- calls ------------------------------------------------------------------------------------

  #call(promise: Promise<unknown>): void {
    this.#pending.add(promise)
    const end = (): void => void this.#pending.delete(promise)
    promise.then(end, (error: unknown) => {
      end()
      this.#problems.push(String(error))
    })
  }

  #adopt(shard: FileShardStore): void {
    const { id: layer } = this.#random.pick(this.#model.layers)
    if (layer !== this.#model.head) this.#loose = true
    const [block, count] = this.#range()
    const values = Array.from({ length: count }, () => this.#value())
    this.#call(this.#model.adopt(shard, { layer, block, values }))
  }

  #look(shard: FileShardStore): void {
    const how = this.#random.pick(['read', 'layer', 'index'] as const)
    const { id: layer } = this.#random.pick(this.#model.layers)
    const [block, count] = how === 'index' ? [this.#random.pick(BLOCKS), 1] : this.#range()
    const look = this.#model.look(shard, how, { layer, block, count })
    const note = (problem: string | null): void => {
      if (problem) this.#problems.push(problem)
    }
    this.#call(look.then(note))
  }

  #range(): [block: number, count: number] {
    const from = this.#random.below(BLOCKS.length)
    let count = 1
    while (this.#random.chance(0.5) && BLOCKS[from + count] === BLOCKS[from]! + count) count++
    return [BLOCKS[from]!, count]
  }

  #value(): Value {
    if (this.#random.chance(0.2)) return null
    return this.#random.chance(0.2) ? 0 : 1 + this.#random.below(255)
  }

  // ---- ends -------------------------------------------------------------------------------------

  #open(): Promise<Opened> {
    const opening = open(this.#disk, { clock: this.#clock, layers: this.#model.layers })
    return this.#clock.settle('opening', opening)
  }

  async #check(shard: FileShardStore): Promise<void> {
    const { layers } = this.#model
    const checking = checkLayers(shard, { layers, allowed: this.#model.allowed() })
    await this.#clock.settle('checking', checking)
  }

  /** Whatever is in flight at this moment is cut; layers may change while the store is closed. */
  async #end(): Promise<void> {
    const random = this.#random
    const killed = random.chance(0.3)
    const cut = random.chance(0.3)
    const { layers } = this.#model
    const allowed = this.#model.allowed(killed && !cut ? 'process' : 'machine')
    this.#disk = killed ? this.#disk.restart() : this.#disk.crash()
    if (cut) {
      void open(this.#disk, { clock: this.#clock, layers })
      await this.#clock.advance(random.below(4000) / 100)
      this.#disk = this.#disk.crash()
    }
    const { store, shard } = await this.#open()
    const found = await this.#clock.settle('checking', checkLayers(shard, { layers, allowed }))
    this.#problems = []
    this.#pending.clear()
    this.#loose = false
    this.#model = new LayerModel(BLOCKS, layers, found)
    if (random.chance(0.5)) await this.#clock.settle('a clean stop', store.close())
    else {
      await this.#clock.settle('flush', shard.flush())
      this.#disk = this.#disk.crash()
    }
    if (random.chance(0.5) || this.#named.size === 0) return
    this.#named.delete(random.pick([...this.#named]))
    this.#model.setLayers(prune(freeze(layers), this.#named.add(headOf(layers).id)))
  }
}
