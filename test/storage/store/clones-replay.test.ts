// Clones, merges and crashes: volumes that share files, each with its own model, written, frozen,
// merged, flattened and dropped side by side. Whenever the power fails, every layer of every volume
// shows what it may show; and nothing ever writes a file that has several names (the simulated disk
// asserts it).
import test from 'tape'
import { silentLog } from '../../../src/base/log.js'
import {
  branch,
  FIRST_LAYER,
  freeze,
  prune,
  rollBack,
  type LayerRecord,
} from '../../../src/layout/layers.js'
import { FileBlockStore } from '../../../src/storage/store/file-block-store.js'
import type { FileShardStore } from '../../../src/storage/store/file-shard-store.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { SimulatedDisk } from '../../simulator/simulated-disk.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'
import { checkLayers, LayerModel, type Value } from './layer-model.js'

const SHARD = 3
const VOLUMES_MAX = 4
// More of them: REPLAY_SEEDS=3000 npx tsx test/storage/store/clones-replay.test.ts
const SEEDS = Number(process.env['REPLAY_SEEDS'] ?? 40)
const BLOCKS = [0, 1, 2, 63, 64, 65, 511, 512, 513, 1024]

test(`random crashes of volumes and their clones, ${SEEDS} seeds`, async t => {
  const total = { clones: 0, cut: 0, merges: 0, shared: 0 }
  for (let seed = 1; seed <= SEEDS; seed++) {
    const run = new CloneRun(seed)
    try {
      await run.run()
    } catch (error) {
      t.fail(`seed ${seed}: ${String(error)}`)
      break
    }
    for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += run.seen[key]
  }
  t.ok(total.clones > SEEDS, `${total.clones} clones`)
  t.ok(total.cut > SEEDS / 10, `${total.cut} of them cut by a crash`)
  t.ok(total.merges > SEEDS, `${total.merges} merges were under way`)
  t.ok(total.shared > SEEDS / 2, `${total.shared} merges of files that were shared`)
})

interface Volume {
  readonly id: number
  model: LayerModel
  /** Its layers that are needed: snapshots, and what it inherited. */
  readonly named: Set<number>
  origin: { readonly volume: number; readonly layer: number } | null
  shard: FileShardStore | null
  /** Adopted into frozen layers and not flushed yet. */
  loose: boolean
}

class CloneRun {
  readonly seen = { clones: 0, cut: 0, merges: 0, shared: 0 }
  readonly #random: SeededRandom
  readonly #clock = new VirtualClock()
  #disk: SimulatedDisk
  #store!: FileBlockStore
  #volumes: Volume[] = [
    {
      ...{ id: 1, model: new LayerModel(BLOCKS, [FIRST_LAYER]), named: new Set<number>() },
      ...{ origin: null, shard: null, loose: false },
    },
  ]
  #next = 2
  #problems: string[] = []
  #pending = new Set<Promise<unknown>>()

  constructor(seed: number) {
    this.#random = new SeededRandom(seed)
    const latency = { read: 0.1, write: this.#random.pick([0.02, 1]), sync: 1.5 }
    this.#disk = new SimulatedDisk({ clock: this.#clock, random: this.#random, latency })
  }

  async run(): Promise<void> {
    for (let life = 0; life < 4; life++) await this.#life()
  }

  async #life(): Promise<void> {
    await this.#start()
    await this.#checkAll('after a start')
    const steps = 20 + this.#random.below(60)
    for (let i = 0; i < steps; i++) {
      for (const { shard } of this.#volumes) if (shard?.merging()) this.seen.merges++
      if ((await this.#step()) === 'cut') break
      if (this.#random.chance(0.6)) await this.#clock.advance(this.#random.below(300) / 100)
    }
    if (this.#problems.length > 0) throw new Error(this.#problems[0])
    await this.#end()
    await this.#start()
    await this.#checkAll('after a crash')
    if (this.#random.chance(0.5)) {
      const merged = (): boolean => this.#volumes.every(({ shard }) => shard!.merging() === null)
      await this.#clock.until('merged', merged)
      await this.#checkAll('merged')
    }
    await this.#clock.settle('a clean stop', this.#store.close())
  }

  async #step(): Promise<'cut' | undefined> {
    const random = this.#random
    const volume = random.pick(this.#volumes)
    const dice = random.below(100)
    if (dice < 6) await this.#freeze(volume)
    else if (dice < 12) await this.#forget(volume)
    else if (dice < 13) await this.#rollBack(volume)
    else if (dice < 20) return this.#clone(volume)
    else if (dice < 23) await this.#flatten(volume)
    else if (dice < 25) await this.#drop(volume)
    else if (dice < 35) this.#call(volume.model.flush(volume.shard!))
    else if (dice < 55) this.#look(volume)
    else if (dice < 68) this.#adopt(volume)
    else {
      const [block, count] = this.#range()
      const values = Array.from({ length: count }, () => this.#value() ?? 0)
      this.#call(volume.model.write(volume.shard!, block, values))
    }
    return undefined
  }

  // ---- layers -----------------------------------------------------------------------------------

  async #freeze(volume: Volume): Promise<void> {
    const layers = freeze(volume.model.layers)
    await this.#clock.settle('preparing', volume.shard!.prepareLayers(layers))
    await this.#quiet(volume)
    volume.named.add(volume.model.head)
    this.#set(volume, layers)
  }

  /** What a clone began with stays. */
  #free({ id, named, origin }: Volume): number[] {
    const taken = this.#volumes.flatMap(one => (one.origin?.volume === id ? one.origin.layer : []))
    return [...named].filter(layer => !taken.includes(layer) && layer > (origin?.layer ?? 0))
  }

  async #forget(volume: Volume): Promise<void> {
    const free = this.#free(volume)
    if (free.length === 0) return
    if (volume.loose) await this.#quiet(volume)
    volume.named.delete(this.#random.pick(free))
    this.#set(volume, prune(volume.model.layers, volume.named))
  }

  async #rollBack(volume: Volume): Promise<void> {
    if (volume.named.size === 0) return
    const to = this.#random.pick([...volume.named])
    const layers = rollBack(volume.model.layers, { to, named: volume.named })
    await this.#clock.settle('preparing', volume.shard!.prepareLayers(layers))
    if (volume.loose) await this.#quiet(volume)
    this.#set(volume, layers)
  }

  /** Sometimes the power fails while it is made: the configuration has it by then. */
  async #clone(from: Volume): Promise<'cut' | undefined> {
    if (this.#volumes.length === VOLUMES_MAX || from.named.size === 0) return undefined
    await this.#quiet(from)
    const volume = this.#cloned(from)
    this.seen.clones++
    if (this.#random.chance(0.3)) {
      void this.#begin(volume)
      await this.#clock.advance(this.#random.below(1200) / 100)
      this.seen.cut++
      return 'cut'
    }
    await this.#clock.settle('cloning', this.#begin(volume))
    return undefined
  }

  #cloned({ id, model, named }: Volume): Volume {
    const layer = this.#random.pick([...named])
    const layers = branch(model.layers, layer)
    const inherited = layers.slice(0, -1)
    const volume: Volume = {
      ...{ id: this.#next++, origin: { volume: id, layer }, shard: null, loose: false },
      model: new LayerModel(BLOCKS, layers, model.contentOf(inherited)),
      named: new Set(inherited.map(one => one.id)),
    }
    this.#volumes.push(volume)
    return volume
  }

  async #flatten(volume: Volume): Promise<void> {
    const { origin, named, model } = volume
    if (origin === null) return
    if (volume.loose) await this.#quiet(volume)
    volume.origin = null
    const used = this.#volumes.filter(one => one.origin?.volume === volume.id)
    for (const layer of named) {
      const taken = used.some(one => one.origin?.layer === layer)
      if (layer <= origin.layer && !taken) named.delete(layer)
    }
    if (used.some(one => one.origin!.layer < origin.layer)) named.add(origin.layer)
    if (model.layers.length > 2) this.seen.shared++
    this.#set(volume, prune(model.layers, named))
  }

  async #drop(volume: Volume): Promise<void> {
    if (volume.id === 1 || this.#volumes.some(one => one.origin?.volume === volume.id)) return
    await this.#clock.settle('calls', Promise.allSettled([...this.#pending]))
    this.#volumes = this.#volumes.filter(one => one !== volume)
    const dropping = this.#store.dropShard({ volume: volume.id, shard: SHARD })
    if (this.#random.chance(0.7)) await this.#clock.settle('dropping', dropping)
  }

  #set(volume: Volume, layers: readonly LayerRecord[]): void {
    volume.shard?.setLayers(layers)
    volume.model.setLayers(layers)
  }

  async #quiet(volume: Volume): Promise<void> {
    await this.#clock.settle('calls', Promise.allSettled([...this.#pending]))
    await this.#clock.settle('flush', volume.model.flush(volume.shard!))
    volume.loose = false
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

  #adopt(volume: Volume): void {
    const { id: layer } = this.#random.pick(volume.model.layers)
    if (layer !== volume.model.head) volume.loose = true
    const [block, count] = this.#range()
    const values = Array.from({ length: count }, () => this.#value())
    this.#call(volume.model.adopt(volume.shard!, { layer, block, values }))
  }

  #look({ model, shard }: Volume): void {
    const how = this.#random.pick(['read', 'layer', 'index'] as const)
    const { id: layer } = this.#random.pick(model.layers)
    const [block, count] = how === 'index' ? [this.#random.pick(BLOCKS), 1] : this.#range()
    const look = model.look(shard!, how, { layer, block, count })
    this.#call(look.then(problem => problem && this.#problems.push(problem)))
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

  // ---- starts and ends --------------------------------------------------------------------------

  /** As a server does: clones are begun before anything else of the configuration is applied. */
  async #start(): Promise<void> {
    const opening = FileBlockStore.open({ clock: this.#clock, disk: this.#disk, log: silentLog })
    this.#store = await this.#clock.settle('opening', opening)
    for (const volume of this.#volumes) {
      if (volume.origin) await this.#clock.settle('cloning', this.#link(volume))
    }
    for (const volume of this.#volumes) await this.#clock.settle('opening', this.#open(volume))
    for (const { volume, shard } of await this.#clock.settle('stored', this.#store.stored())) {
      if (this.#volumes.some(({ id }) => id === volume)) continue
      await this.#clock.settle('dropping', this.#store.dropShard({ volume, shard }))
    }
  }

  async #begin(volume: Volume): Promise<void> {
    await this.#link(volume)
    await this.#open(volume)
  }

  async #link({ id, model, origin }: Volume): Promise<void> {
    const layers = model.layers.filter(layer => layer.id <= origin!.layer)
    const from = { volume: origin!.volume, layers }
    const whole = await this.#store.cloneShard({ volume: id, shard: SHARD }, from)
    if (!whole) throw new Error(`clone ${id} has nothing to begin with`)
  }

  async #open(volume: Volume): Promise<void> {
    const key = { volume: volume.id, shard: SHARD }
    volume.shard = await this.#store.openShard(key, volume.model.layers)
  }

  async #checkAll(when: string): Promise<void> {
    for (const { id, model, shard } of this.#volumes) {
      const { layers } = model
      const checking = checkLayers(shard!, { layers, allowed: model.allowed() })
      await this.#clock.settle('checking', checking).catch((error: unknown) => {
        throw new Error(`${when}, volume ${id}: ${String(error)}`)
      })
    }
  }

  /** Whatever is in flight is cut; the configuration goes on while the server is away. */
  async #end(): Promise<void> {
    const random = this.#random
    this.#disk = random.chance(0.3) ? this.#disk.restart() : this.#disk.crash()
    if (random.chance(0.3)) {
      void this.#start().catch(() => undefined)
      await this.#clock.advance(random.below(6000) / 100)
      this.#disk = this.#disk.crash()
    }
    await this.#start()
    for (const volume of this.#volumes) {
      const { layers } = volume.model
      const check = checkLayers(volume.shard!, { layers, allowed: volume.model.allowed() })
      volume.model = new LayerModel(BLOCKS, layers, await this.#clock.settle('checking', check))
      volume.loose = false
    }
    this.#problems = []
    this.#pending.clear()
    if (random.chance(0.5)) await this.#clock.settle('a clean stop', this.#store.close())
    else {
      for (const { shard } of this.#volumes) await this.#clock.settle('flush', shard!.flush())
      this.#disk = this.#disk.crash()
    }
    this.#whileAway()
  }

  /** A clone is made, and layers of its origin go, before this server hears of either. */
  #whileAway(): void {
    const from = this.#random.pick(this.#volumes)
    from.shard = null
    if (this.#volumes.length < VOLUMES_MAX && from.named.size > 0 && this.#random.chance(0.7)) {
      this.#cloned(from)
      this.seen.clones++
    }
    for (const layer of this.#free(from)) if (this.#random.chance(0.5)) from.named.delete(layer)
    this.#set(from, prune(from.model.layers, from.named))
  }
}
