// What goes wrong in a run, drawn from its seed: carries out the acts of acts.ts on a cluster. What
// was cut is mended and what died starts again by itself, soon or late, often in the middle of the
// next act.
import { exhaustive } from '../../../src/base/assert.js'
import { wait } from '../../../src/base/clock.js'
import type { PeerId } from '../../../src/base/brands.js'
import type { ShardAllocation } from '../../../src/layout/configuration.js'
import type { SeededRandom } from '../seeded-random.js'
import type { Client, SimulatedCluster } from '../simulated-cluster.js'
import { drawAct } from './acts.js'
import { Caution } from './caution.js'
import { DiskFaults } from './disk-faults.js'
import { shuffled, type FaultContext } from './fault-context.js'
import { MembershipFaults } from './membership-faults.js'
import { Moments } from './moments.js'
import { ProcessFaults } from './process-faults.js'
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
/** The same, where a copy has to be made first. */
const COPY_LIMIT_MS = 2_000
/** The same, where something takes its time: servers return, managers elect, patience ends. */
const PATIENCE_MS = 8_000

type Cast = ReadonlyMap<Player, PeerId>

export class Faults {
  readonly counts = new Map<string, number>()
  readonly moments: Moments
  readonly membership: MembershipFaults
  readonly #caution: Caution
  readonly #disks: DiskFaults
  readonly #processes: ProcessFaults
  readonly #o: FaultsOptions
  readonly #random: SeededRandom
  #over = false

  constructor(options: FaultsOptions) {
    const { cluster, mode, sectors, clients, memoryMayBeLost } = options
    this.#o = options
    this.#random = cluster.stream('faults')
    this.#caution = new Caution(cluster, mode)
    const context: FaultContext = {
      ...{ cluster, mode, random: this.#random, caution: this.#caution },
      note: what => this.#note(what),
    }
    this.#disks = new DiskFaults(context, sectors)
    this.#processes = new ProcessFaults({ ...context, disks: this.#disks, memoryMayBeLost })
    this.membership = new MembershipFaults(context, clients)
    this.moments = new Moments(cluster.clock)
    cluster.observe(seen => this.moments.see(seen))
  }

  async act(): Promise<void> {
    const cast = this.#cast()
    if (this.#o.mode === 'rotten') {
      for (let i = this.#random.below(4); i > 0; i--) this.#disks.flip()
    }
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
    this.#disks.empty()
    await this.#processes.heal()
  }

  isDamaged(server: PeerId, shard: string): boolean {
    return this.#disks.isDamaged(server, shard)
  }

  powerCut(first: string | null = null): Promise<void> {
    return this.#processes.powerCut(first)
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
    const rotten = cluster.idOf(this.#disks.rotten)
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
      case 'wipe':
        return this.#of(step, cast, name => this.#processes.wipe(name, this.#draw(step.back)))
      case 'freeze':
        return this.#of(step, cast, name => this.#processes.freeze(name, this.#draw(step.for)))
      case 'break':
        return this.#break(...step.between.map(player => cast.get(player)))
      case 'power cut': {
        const first = step.first && cast.get(step.first)
        return this.powerCut(first ? cluster.nameOf(first) : null)
      }
      case 'direct links':
        this.#note('direct links switched')
        cluster.swarm.allowed.direct = !cluster.swarm.allowed.direct
        return this.#break(cast.get('P'), cast.get('C'))
      case 'disk':
        return this.#fillOrEmpty(cast)
      case 'refuse':
        return this.#of(step, cast, name => this.#disks.refuse(name, this.#draw(step.for)))
      case 'slow':
        return this.#of(step, cast, name => this.#disks.slow(name, this.#draw(step.for)))
      case 'rot':
        return mode === 'rotten' ? this.#disks.rot() : undefined
      case 'join':
        return this.membership.join()
      case 'drain':
        return this.#of(step, cast, name => this.membership.drain(name))
      case 'undrain':
        return this.membership.undrain()
      case 'work':
        return this.#o.work(step.what)
      default:
        return exhaustive(step)
    }
  }

  async #await(step: Extract<Step, { kind: 'await' }>, cast: Cast): Promise<void> {
    const { at, by, count = 1, late, ...what } = step
    const players = { at: at && cast.get(at), by: by && cast.get(by) }
    if ((at && !players.at) || (by && !players.by)) return
    const { at: place, by: other } = players
    const sight = { ...what, ...(place ? { at: place } : {}), ...(other ? { by: other } : {}) }
    const rare = step.operation === 'suspend-proposal'
    const patient = rare || step.done !== undefined || step.of !== undefined
    const limit = late ? COPY_LIMIT_MS : MOMENT_LIMIT_MS
    await this.moments.next([sight], count, patient ? PATIENCE_MS : limit)
  }

  /** Unless there is nobody in this part. */
  #of(
    { player }: { readonly player: Player },
    cast: Cast,
    strike: (name: string) => void | Promise<void>,
  ): void | Promise<void> {
    const id = cast.get(player)
    if (id !== undefined) return strike(this.#o.cluster.nameOf(id))
  }

  #break(a?: PeerId, b?: PeerId): void {
    if (!a || !b || a === b || !this.#caution.mayBreak(a, b)) return
    this.#note('link broken')
    this.#caution.isBroken(a, b)
    this.#o.cluster.swarm.break(a, b)
  }

  #kill(player: PeerId | undefined, back: Duration): void | Promise<void> {
    const { cluster, clients, clientDies } = this.#o
    if (player === undefined) return
    const client = clients().find(({ id }) => id === player)
    if (!client) return this.#processes.kill(cluster.nameOf(player), this.#draw(back))
    this.#note('client dies')
    clientDies(client)
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

  #fillOrEmpty(cast: Cast): void {
    if (this.#disks.full !== null) return this.#disks.empty()
    this.#disks.fill(this.#o.cluster.nameOf(this.#random.pick([...cast.values()].slice(0, 2))))
  }

  #draw(duration: Duration): number {
    return this.#random.pick(DURATIONS[duration])
  }

  #note(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }
}
