// One run of the simulator, decided by its seed: a small cluster, few blocks, clients that fight
// over them in bursts, and faults at moments of the protocol; then everything heals, and must be
// right, in-sync and equal. Used by seeds.test.ts, by simulate.ts and by mutants.ts.
import type { PeerId } from '../../../src/base/brands.js'
import { wait } from '../../../src/base/clock.js'
import { isSwarmdiskError } from '../../../src/base/errors.js'
import {
  BLOCKS_PER_EXTENT,
  BLOCKS_PER_INDEX_PAGE,
  EXTENT_BYTES,
  STORE_RETRY_MAX_MS,
} from '../../../src/base/limits.js'
import { differencesIn, holdingsOf, leftoversIn } from '../check/holdings.js'
import { Histories } from '../check/histories.js'
import { SECTORS_PER_BLOCK, VolumeModel } from '../check/volume-model.js'
import type { SeededRandom } from '../seeded-random.js'
import { SimulatedCluster, type Client } from '../simulated-cluster.js'
import type { Sink } from '../trace.js'
import { Faults } from './faults.js'
import { intrude } from './intruder.js'
import { callRoll } from './roll-call.js'
import { shapeOf, type Mode } from './shape.js'
import { PLACE_BLOCKS, Values, Workload, type Subject } from './workload.js'

/** A change of what a seed does: seeds of another version mean nothing in this one. */
export const GENERATOR = 10

const EXTENTS = 2
/** Virtual milliseconds: everything must be over by then. */
const HEALING_LIMIT = 300_000
/** A link that was cut is found dead, and opened again, within this. */
const ROLL_CALL_LIMIT = 30_000
/** Longer where something is held: then the successor works as it can. */
const REACH_LIMIT = 1_000
const RUN_LIMIT = 3_600_000
/**
 * Whoever has heard that a copy is somewhere else drops it within this: its disk may have been too
 * full to remember that configuration, and is tried again after the longest pause.
 */
const DROPPED_MS = STORE_RETRY_MAX_MS + 1_000

export interface Outcome {
  readonly findings: readonly string[]
  /** Blocks whose histories had too many possible orders to be judged. */
  readonly unproved: number
  readonly operations: number
  readonly faults: ReadonlyMap<string, number>
  /** Virtual milliseconds. */
  readonly time: number
}

interface Using {
  readonly client: Client
  readonly workloads: readonly Workload[]
}

class Run {
  readonly #cluster: SimulatedCluster
  readonly #plan: SeededRandom
  readonly #work: SeededRandom
  readonly #mode: Mode
  readonly #faults: Faults
  readonly #subjects: Subject[] = []
  readonly #all: Workload[] = []
  readonly #findings: string[] = []
  #using: Using[] = []
  /** A writer that lives, and is to be taken over from. */
  #ousted: Client | null = null
  /** The writer has died, and nobody has its place yet. */
  #orphaned = false

  constructor(cluster: SimulatedCluster, mode: Mode) {
    this.#cluster = cluster
    this.#mode = mode
    this.#plan = cluster.stream('plan')
    this.#work = cluster.stream('work')
    this.#faults = new Faults({
      cluster,
      mode,
      clients: () => this.#using.map(({ client }) => client),
      sectors: volume => this.#sectorsOf(volume),
      memoryMayBeLost: () => {
        for (const { model } of this.#subjects) model?.memoryMayBeLost()
      },
      clientDies: client => this.#clientDies(client),
      work: what => this.#burst(what),
    })
  }

  async story(): Promise<Outcome> {
    const plan = this.#plan
    const clients = this.#mode === 'exclusive' ? 1 : 3
    const first = await this.#startClient()
    const volumes = plan.chance(0.15) ? 2 : 1
    for (let i = 0; i < volumes; i++) await this.#volume(first, `v${i}`)
    this.#use(first)
    for (let i = 1; i < clients; i++) await this.#newClient()
    for (let rounds = 7 + plan.below(6); rounds > 0; rounds--) await this.#round()
    await this.#faults.heal()
    await this.#settleDown()
    await this.#check()
    for (const { client } of this.#using) {
      const held = client.driver.held()
      if (held) this.#findings.push(`I9: ${client.name} is still held: ${held.reason}`)
      if (client.alive) await client.stop()
    }
    await this.#cluster.until(
      'I7: all servers know the newest configuration',
      () => this.#cluster.allKnow,
      HEALING_LIMIT,
    )
    await wait(this.#cluster.clock, DROPPED_MS)
    const holdings = await holdingsOf(this.#cluster)
    const damaged = (server: PeerId, shard: string): boolean =>
      this.#faults.isDamaged(server, shard)
    return this.#outcome([
      ...(await leftoversIn(holdings)),
      ...(await differencesIn(holdings, damaged)),
    ])
  }

  /** Bursts of all clients, an act of faults among them, and sometimes time to recover. */
  async #round(): Promise<void> {
    const plan = this.#plan
    this.#burst('all')
    await this.#faults.act()
    if (this.#orphaned) await this.#replaceWriter()
    while (this.#mode !== 'exclusive' && this.#using.length < 3) await this.#newClient()
    if (plan.chance(0.6)) for (const workload of this.#all) workload.stop()
    const patience = plan.pick([0, 20, 200, 2_000, 5_000])
    const quiet = (): boolean => this.#idle && this.#cluster.healthy
    if (await this.#cluster.within(patience, quiet)) await this.#callRoll(0)
  }

  #burst(what: 'all' | 'flushes'): void {
    const work = this.#work
    const depth = 1 + work.below(this.#using.length > 1 ? 2 : 4) + (what === 'all' ? 0 : 1)
    const calls = 4 + work.below(10)
    this.#using.forEach(({ workloads }, i) => {
      // The last of several clients only reads: it sees what the others are held in.
      const reads = this.#using.length > 1 && i === this.#using.length - 1
      for (const workload of workloads) {
        if (reads) workload.burst('reads', 1 + work.below(2), 3 * calls)
        else workload.burst(what, depth, calls)
      }
    })
  }

  /** By the first client that lives; `patience` in virtual milliseconds. */
  async #callRoll(patience: number): Promise<void> {
    const [using] = this.#using
    if (!using) return
    if (this.#mode === 'exclusive' && !(await this.#hasReadAll(using))) return
    for (const subject of this.#subjects) {
      const call = { cluster: this.#cluster, client: using.client, subject, patience }
      this.#findings.push(...(await callRoll(call)))
    }
  }

  /** What memory was lost is repeated before the client is given what it reads, if it can be. */
  async #hasReadAll({ workloads }: Using): Promise<boolean> {
    let read = false
    Promise.all(workloads.map(workload => workload.readAll())).then(
      () => (read = true),
      (error: unknown) => {
        // It was taken over from in turn.
        if (!isSwarmdiskError(error, 'fenced')) this.#findings.push(String(error))
      },
    )
    return this.#cluster.within(ROLL_CALL_LIMIT, () => read)
  }

  get #idle(): boolean {
    return this.#all.every(workload => workload.idle)
  }

  async #settleDown(): Promise<void> {
    for (const workload of this.#all) workload.stop()
    if (this.#using.length === 0) await this.#newClient()
    await this.#faults.membership.finish(this.#using[0]!.client)
    await this.#cluster.until('I9: all calls have ended', () => this.#idle, HEALING_LIMIT)
    await this.#cluster.until(
      'I7: all is in-sync again',
      () => this.#cluster.healthy,
      HEALING_LIMIT,
    )
    await this.#callRoll(ROLL_CALL_LIMIT)
  }

  /** Everything is read by all; is there after all have lost their power; is read by a new one. */
  async #check(): Promise<void> {
    for (const { workloads } of this.#using) {
      for (const workload of workloads) await workload.readAll()
      for (const workload of workloads) await workload.flush()
    }
    if (this.#mode !== 'rotten' && this.#plan.chance(0.6)) {
      await this.#faults.powerCut()
      await this.#faults.heal()
    }
    await this.#newClient()
    for (const { workloads } of this.#using.slice(-1)) {
      for (const workload of workloads) await workload.readAll()
    }
    await this.#cluster.until(
      'I7: all is in-sync once more',
      () => this.#cluster.healthy,
      HEALING_LIMIT,
    )
  }

  #outcome(differences: readonly string[]): Outcome {
    const findings = [
      ...this.#cluster.findings,
      ...this.#findings,
      ...this.#all.flatMap(workload => workload.findings),
      ...this.#subjects.flatMap(({ histories }) => histories.findings()),
      ...differences,
    ]
    return {
      findings,
      unproved: this.#subjects.reduce((sum, { histories }) => sum + histories.unproved, 0),
      operations: this.#all.reduce((sum, workload) => sum + workload.operations, 0),
      faults: this.#faults.counts,
      time: this.#cluster.clock.now(),
    }
  }

  async #volume(client: Client, name: string): Promise<void> {
    const plan = this.#plan
    const wanted = this.#mode === 'rotten' ? 3 : plan.pick([2, 3, 3])
    const replicas = Math.min(wanted, this.#cluster.serverNames.length)
    const minInSync = plan.pick([1, 1, 1, 2])
    const size = EXTENTS * EXTENT_BYTES
    await this.#cluster.createVolume(client, { name, size, replicas, minInSync })
    // One to three places: the first blocks, the border of two index pages, that of two extents.
    const places = [0, BLOCKS_PER_INDEX_PAGE - 1, BLOCKS_PER_EXTENT - 1].filter(
      place => place === 0 || plan.chance(0.35),
    )
    this.#subjects.push({
      ...{ name, places, inherited: false, values: new Values() },
      histories: new Histories(this.#cluster.clock),
      model: this.#mode === 'exclusive' ? new VolumeModel() : null,
    })
  }

  /** Alone, or with others, as the mode has it. */
  #startClient(): Promise<Client> {
    return this.#cluster.startClient({ shared: this.#mode !== 'exclusive' })
  }

  async #newClient(): Promise<void> {
    const client = await this.#startClient()
    // The manager that it found first may be behind the others.
    const sees = ({ name }: Subject): boolean => client.driver.open(name) !== null
    await this.#cluster.until('a new client sees the volumes', () => this.#subjects.every(sees))
    this.#use(client)
  }

  #use(client: Client): void {
    const workloads = this.#subjects.map(subject => {
      const volume = client.driver.open(subject.name)
      if (!volume) throw new Error('a volume was there')
      const flushed = (): void => this.#faults.moments.flushed()
      const { clock } = client
      const who = client.name
      return new Workload({ clock, random: this.#work, who, volume, subject, flushed })
    })
    this.#all.push(...workloads)
    this.#using.push({ client, workloads })
  }

  #clientDies(client: Client): void {
    const gone = this.#using.find(using => using.client === client)
    if (!gone) return
    // One that lives, and has calls under way, is replaced as one that is dead: nobody can tell.
    const has = ({ name }: Subject): boolean => client.driver.open(name)?.claimed ?? false
    const lives = this.#mode === 'exclusive' && this.#subjects.every(has) && this.#plan.chance(0.5)
    if (lives) this.#ousted = client
    else client.die()
    // Its successor takes over while it sleeps.
    if (lives && this.#plan.chance(0.4)) this.#cluster.freeze(client.name)
    for (const workload of gone.workloads) workload.abandon()
    this.#using = this.#using.filter(using => using !== gone)
    if (this.#mode !== 'exclusive') return
    this.#orphaned = true
    for (const subject of this.#subjects) {
      subject.model?.writerDied()
      subject.model?.memoryMayBeLost()
      subject.inherited = true
    }
  }

  /** Its successor takes over, whatever of the dead one is still under way. */
  async #replaceWriter(): Promise<void> {
    this.#orphaned = false
    const { swarm, managerNames, serverNames } = this.#cluster
    const ousted = this.#ousted
    this.#ousted = null
    swarm.heal()
    await this.#newClient()
    for (const name of [...managerNames, ...(this.#plan.chance(0.5) ? [] : serverNames)]) {
      if (ousted && this.#plan.chance(0.7)) swarm.partition(ousted.id, this.#cluster.idOf(name))
    }
    const [successor] = this.#using
    for (const { name } of this.#subjects) {
      await successor?.client.driver.open(name)?.attach({ takeover: true })
    }
    if (ousted && this.#plan.chance(0.5)) this.#cluster.thaw(ousted.name)
    // What is there now is seen before anything is written over it.
    if (successor && this.#plan.chance(0.7)) await this.#hasReadAll(successor)
    if (ousted) this.#cluster.thaw(ousted.name)
    if (ousted && successor && (await this.#hasReached(successor))) {
      for (const subject of this.#subjects) this.#provoke(ousted, subject)
    }
  }

  /** Every shard has answered it, so that nothing of its predecessor is executed any more. */
  async #hasReached({ workloads }: Using): Promise<boolean> {
    let reached = false
    Promise.all(workloads.map(workload => workload.flush())).then(
      () => (reached = true),
      () => undefined, // it was taken over from in turn
    )
    return this.#cluster.within(REACH_LIMIT, () => reached)
  }

  #provoke(client: Client, subject: Subject): void {
    const intruder = { cluster: this.#cluster, client, random: this.#work }
    for (const attempt of intrude(intruder, subject)) {
      void attempt.then(found => this.#findings.push(...found))
    }
  }

  #sectorsOf(volume: number): readonly number[] {
    const places = this.#subjects[volume - 1]?.places ?? []
    const count = PLACE_BLOCKS * SECTORS_PER_BLOCK
    return places.flatMap(place =>
      Array.from({ length: count }, (_, i) => place * SECTORS_PER_BLOCK + i),
    )
  }
}

export async function runSeed(seed: number, sink: Sink | null = null): Promise<Outcome> {
  const { mode, servers, managers } = shapeOf(seed)
  const cluster = await SimulatedCluster.start({ seed, servers, managers, disks: 'any', sink })
  return cluster.run('the run', new Run(cluster, mode).story(), RUN_LIMIT)
}
