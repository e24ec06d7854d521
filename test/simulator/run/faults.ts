// What goes wrong in a run, drawn from its seed: carries out the acts of acts.ts on a cluster. What
// was cut is mended and what died starts again by itself, soon or late, often in the middle of the
// next act.
import { exhaustive } from '../../../src/base/assert.js'
import { wait } from '../../../src/base/clock.js'
import { byteCount, byteOffset, type PeerId } from '../../../src/base/brands.js'
import { SwarmdiskError } from '../../../src/base/errors.js'
import { BLOCK_BYTES } from '../../../src/base/limits.js'
import type { ShardAllocation, VolumeRecord } from '../../../src/layout/configuration.js'
import { splitRange } from '../../../src/layout/geometry.js'
import { blockOffset } from '../../../src/storage/store/layer-format.js'
import { SECTOR_BYTES, SECTORS_PER_BLOCK } from '../check/volume-model.js'
import type { SeededRandom } from '../seeded-random.js'
import type { Client, Death, SimulatedCluster } from '../simulated-cluster.js'
import { drawAct } from './acts.js'
import { Caution } from './caution.js'
import { Moments } from './moments.js'
import type { Mode } from './shape.js'
import type { Duration, Player, Step } from './steps.js'

export interface FaultsOptions {
  readonly cluster: SimulatedCluster
  readonly mode: Mode
  readonly clients: () => readonly Client[]
  /** Sectors with data, of any volume. */
  readonly sectors: (volume: number) => readonly number[]
  readonly memoryMayBeLost: () => void
  readonly clientDies: (client: Client) => void
  /** The clients that have come to rest begin to work again. */
  readonly work: (what: 'all' | 'flushes') => void
}

const DEATHS: readonly Death[] = ['kill', 'kill', 'power', 'power', 'silent power', 'stop']
/** Virtual milliseconds. */
const DURATIONS: Readonly<Record<Duration, readonly number[]>> = {
  none: [0],
  short: [0.3, 1, 3, 10, 30],
  middle: [30, 100, 300, 800],
  long: [1_500, 3_000, 6_000],
  lease: [3_400, 4_500],
  ages: [9_000],
}
/** A moment that does not come within this is not waited for. */
const MOMENT_LIMIT_MS = 300
/** The same, where something takes its time: servers return, managers elect, patience ends. */
const PATIENCE_MS = 8_000
const PLENTY = 2 ** 40

type Cast = ReadonlyMap<Player, PeerId>

export class Faults {
  readonly counts = new Map<string, number>()
  readonly moments: Moments
  readonly #caution: Caution
  readonly #o: FaultsOptions
  readonly #random: SeededRandom
  /** The only server whose bits flip. */
  readonly #rotten: string
  readonly #flipped = new Set<string>()
  readonly #restarting = new Set<Promise<void>>()
  #full: string | null = null
  #over = false

  constructor(options: FaultsOptions) {
    const { cluster } = options
    this.#o = options
    this.#random = cluster.stream('faults')
    this.#rotten = this.#random.pick(cluster.serverNames)
    this.moments = new Moments(cluster.clock)
    this.#caution = new Caution(cluster, options.mode)
    cluster.observe(seen => this.moments.see(seen))
  }

  async act(): Promise<void> {
    const cast = this.#cast()
    if (this.#o.mode === 'rotten') for (let i = this.#random.below(4); i > 0; i--) this.#flip()
    const council = this.#o.cluster.managerNames.length > 1
    for (const step of drawAct(this.#random, { mode: this.#o.mode, council })) {
      if (this.#over) return
      await this.#step(step, cast)
    }
  }

  /** All is well from now on. */
  async heal(): Promise<void> {
    const { cluster } = this.#o
    this.#over = true
    cluster.swarm.heal()
    cluster.swarm.allowed.direct = true
    this.#empty()
    await Promise.all(this.#restarting)
    for (const name of [...cluster.managerNames, ...cluster.serverNames]) {
      if (!cluster.isUp(name)) await this.#start(name)
    }
  }

  /** Nobody may have read a flipped bit yet: its replica is corrupt until somebody does. */
  isDamaged(server: PeerId, shard: string): boolean {
    return server === this.#o.cluster.idOf(this.#rotten) && this.#flipped.has(shard)
  }

  /** All servers at once; they come back one after the other, this one first. */
  async powerCut(first: string | null = null): Promise<void> {
    const { cluster } = this.#o
    this.#note('power cut')
    this.#o.memoryMayBeLost()
    const up = cluster.serverNames.filter(name => cluster.isUp(name))
    await Promise.all(up.map(name => cluster.endServer(name, 'power')))
    const spacing = this.#random.pick([0, 2, 100, 400, 1_200])
    const order = shuffled(this.#random, cluster.serverNames)
    if (first !== null) order.unshift(...order.splice(order.indexOf(first), 1))
    order.forEach((name, i) => this.#restart(name, i * spacing))
  }

  // ---- who plays ------------------------------------------------------------------------------

  #cast(): Cast {
    const { clients } = this.#o
    const random = this.#random
    const { replicas } = random.pick(this.#stages())
    const [primary, ...others] = replicas.map(replica => replica.server)
    const [F, G] = shuffled(random, others)
    const [C, D] = shuffled(random, clients()).map(client => client.id)
    const { M, N, O } = this.#managers()
    const cast = Object.entries({ P: primary, F, G, M, N, O, C, D }) as [
      Player,
      PeerId | undefined,
    ][]
    return new Map(cast.filter((entry): entry is [Player, PeerId] => entry[1] !== undefined))
  }

  /** Shards to play in; where there is rot, now and then those that the rotten server leads. */
  #stages(): readonly ShardAllocation[] {
    const { cluster, mode } = this.#o
    const shards = cluster.shards()
    if (mode !== 'rotten' || this.#random.chance(0.7)) return shards
    const rotten = cluster.idOf(this.#rotten)
    const led = shards.filter(({ replicas }) => replicas[0]?.server === rotten)
    return led.length > 0 ? led : shards
  }

  /** The leader first, if there is one; else and after it in any order. */
  #managers(): { readonly M: PeerId | undefined; readonly N?: PeerId; readonly O?: PeerId } {
    const { cluster } = this.#o
    const random = this.#random
    const { managerNames, leader } = cluster
    if (managerNames.length === 1) return { M: cluster.idOf(random.pick(managerNames)) }
    const others = shuffled(random, managerNames).filter(name => name !== leader)
    const [M, N, O] = [...(leader === null ? [] : [leader]), ...others].map(name =>
      cluster.idOf(name),
    )
    return { M, ...(N ? { N } : {}), ...(O ? { O } : {}) }
  }

  // ---- what happens ---------------------------------------------------------------------------

  async #step(step: Step, cast: Cast): Promise<void> {
    const { cluster, mode } = this.#o
    switch (step.kind) {
      case 'cut':
        return this.#cutForAWhile(cast.get(step.from), cast.get(step.to), step.for)
      case 'mend':
        return cluster.swarm.heal()
      case 'await':
        return this.#await(step, cast)
      case 'await flush':
        await this.moments.next(['flushed'], 1, MOMENT_LIMIT_MS)
        return
      case 'pause':
        return wait(cluster.clock, this.#draw(step.for))
      case 'kill':
        return this.#kill(cast.get(step.player), step.back)
      case 'break':
        return this.#break(...step.between.map(player => cast.get(player)))
      case 'power cut': {
        const first = step.first && cast.get(step.first)
        return mode === 'exclusive'
          ? this.powerCut(first ? cluster.nameOf(first) : null)
          : undefined
      }
      case 'direct links':
        this.#note('direct links switched')
        cluster.swarm.allowed.direct = !cluster.swarm.allowed.direct
        return this.#break(cast.get('P'), cast.get('C'))
      case 'disk':
        return this.#full === null ? this.#fill(cast) : this.#empty()
      case 'refuse':
        return this.#refuse(cast.get(step.player), this.#draw(step.for))
      case 'rot':
        return mode === 'rotten' ? this.#rot() : undefined
      case 'work':
        return this.#o.work(step.what)
      default:
        return exhaustive(step)
    }
  }

  async #await(step: Extract<Step, { kind: 'await' }>, cast: Cast): Promise<void> {
    const { at, by, count = 1, ...what } = step
    const players = { at: at && cast.get(at), by: by && cast.get(by) }
    if ((at && !players.at) || (by && !players.by)) return
    const { at: place, by: other } = players
    const sight = { ...what, ...(place ? { at: place } : {}), ...(other ? { by: other } : {}) }
    const rare = step.operation === 'suspend-proposal'
    const patient = rare || step.done !== undefined || step.of !== undefined
    await this.moments.next([sight], count, patient ? PATIENCE_MS : MOMENT_LIMIT_MS)
  }

  #break(a?: PeerId, b?: PeerId): void {
    if (!a || !b || a === b || !this.#caution.mayBreak(a, b)) return
    this.#note('link broken')
    this.#caution.isBroken(a, b)
    this.#o.cluster.swarm.break(a, b)
  }

  async #kill(player: PeerId | undefined, back: Duration): Promise<void> {
    const { clients, clientDies } = this.#o
    if (player === undefined) return
    const client = clients().find(({ id }) => id === player)
    if (!client) return this.#killServer(this.#o.cluster.nameOf(player), back)
    this.#note('client dies')
    clientDies(client)
  }

  async #killServer(name: string, back: Duration): Promise<void> {
    const { cluster, mode } = this.#o
    const known = [...cluster.managerNames, ...cluster.serverNames].includes(name)
    if (!known || !cluster.isUp(name) || !this.#caution.mayDie(name)) return
    // A full disk has no room for what a clean stop writes: it fails, and the process is killed.
    const drawn = this.#random.pick(DEATHS)
    const death = drawn === 'stop' && name === this.#full ? 'kill' : drawn
    const manager = cluster.managerNames.includes(name)
    this.#note(`${manager ? 'manager' : 'server'} ${death}`)
    if (mode === 'exclusive' && !manager) this.#o.memoryMayBeLost()
    if (manager) await cluster.endManager(name, death)
    else await cluster.endServer(name, death)
    this.#restart(name, this.#draw(back))
  }

  #cutForAWhile(from: PeerId | undefined, to: PeerId | undefined, time: Duration): void {
    const duration = this.#draw(time)
    if (!from || !to || from === to || !this.#caution.mayCut(from, to, duration)) return
    const { cluster } = this.#o
    const { swarm, clock, trace } = cluster
    const fields = { from: cluster.nameOf(from), to: cluster.nameOf(to) }
    this.#note('wire cut')
    trace.say('wire', 'cut', fields)
    swarm.cut(from, to)
    this.#caution.isCut(from, to, duration)
    clock.after(duration, () => {
      trace.say('wire', 'mended', fields)
      swarm.mend(from, to)
    })
  }

  /** Its blocks, and nothing else; and this process alone: the next one may write again. */
  #refuse(player: PeerId | undefined, duration: number): void {
    const { cluster } = this.#o
    if (player === undefined) return
    const name = cluster.nameOf(player)
    // One that is starting may not get up at all.
    if (!cluster.isServing(name) || !this.#caution.mayRefuse) return
    this.#note('disk refuses')
    const disk = cluster.diskOf(name)
    disk.fail = (operation, path) => {
      if (operation !== 'write' || !path.includes('/layer-')) return null
      return new SwarmdiskError('disk-error', `cannot write ${path}`)
    }
    this.#caution.refuses(player, duration)
    cluster.clock.after(duration, () => (disk.fail = null))
  }

  #fill(cast: Cast): void {
    const { cluster } = this.#o
    const name = cluster.nameOf(this.#random.pick([...cast.values()].slice(0, 2)))
    if (!cluster.isServing(name) || !this.#caution.mayRefuse) return
    this.#note('disk full')
    const disk = cluster.diskOf(name)
    disk.setCapacity(disk.used() + this.#random.below(24) * BLOCK_BYTES)
    this.#caution.refuses(cluster.idOf(name), Infinity)
    this.#full = name
  }

  #empty(): void {
    if (this.#full === null) return
    const { cluster } = this.#o
    cluster.diskOf(this.#full).setCapacity(PLENTY)
    this.#caution.refusesNoMore(cluster.idOf(this.#full))
    this.#full = null
  }

  #flip(): void {
    const { cluster, sectors } = this.#o
    const volume = this.#random.pick([...cluster.configuration.volumes.values()])
    const sector = this.#random.pick(sectors(volume.id))
    if (sector !== undefined) this.#flipSector(volume, sector)
  }

  /** One sector of about every other block that is used. */
  #rot(): void {
    const { cluster, sectors } = this.#o
    for (const volume of cluster.configuration.volumes.values()) {
      const firsts = sectors(volume.id).filter(sector => sector % SECTORS_PER_BLOCK === 0)
      for (const first of firsts) {
        if (this.#random.chance(0.5)) continue
        this.#flipSector(volume, first + this.#random.below(SECTORS_PER_BLOCK))
      }
    }
  }

  #flipSector(volume: VolumeRecord, sector: number): void {
    const { cluster } = this.#o
    const range = { offset: byteOffset(sector * SECTOR_BYTES), length: byteCount(SECTOR_BYTES) }
    const [piece] = splitRange(range, volume.shards.length)
    const block = Math.floor(piece!.shardOffset / BLOCK_BYTES)
    const path = `data/${volume.id}/${piece!.shard}/layer-1`
    const at = blockOffset(block) + (piece!.shardOffset % BLOCK_BYTES)
    const disk = cluster.diskOf(this.#rotten)
    if (!disk.hasData(path, at)) return
    this.#note('bit flipped')
    disk.bitFlip(path, at)
    this.#flipped.add(`${volume.id}/${piece!.shard}`)
  }

  #restart(name: string, delay: number): void {
    // Healing does not wait for the late ones; but what begins after it takes its time.
    const hurries = !this.#over
    const restarting = this.#restartLater(name, delay, hurries).finally(() => {
      this.#restarting.delete(restarting)
    })
    this.#restarting.add(restarting)
  }

  async #restartLater(name: string, delay: number, hurries: boolean): Promise<void> {
    const { cluster } = this.#o
    const { clock } = cluster
    const end = clock.now() + delay
    while (clock.now() < end && !(hurries && this.#over)) {
      await wait(clock, Math.min(end - clock.now(), 100))
    }
    if (!cluster.isUp(name)) await this.#start(name)
  }

  /** Without any room a server does not start: people make some. */
  async #start(name: string): Promise<void> {
    const { cluster } = this.#o
    if (name === this.#full) this.#empty()
    if (cluster.managerNames.includes(name)) await cluster.startManager(name)
    else await cluster.startServer(name)
  }

  #draw(duration: Duration): number {
    return this.#random.pick(DURATIONS[duration])
  }

  #note(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }
}

function shuffled<T>(random: SeededRandom, items: readonly T[]): T[] {
  const rest = [...items]
  return items.map(() => rest.splice(random.below(rest.length), 1)[0]!)
}
