// One shard's pure state machines on three servers in a world that is as unkind as a seed decides:
// messages that wait, paths that break, crashes that lose what was not flushed, configurations that
// arrive late. It is the model of design §5 (models/shard-protocol.mjs), walking over the real core
// with writes of several blocks. Every history must be linearizable block by block, and once the
// faults stop all replicas must become in-sync and equal.
import { blockIndex, epoch, generation, incarnation, sequence } from '../../../src/base/brands.js'
import { requestNumber, shardIndex, volumeId, type PeerId } from '../../../src/base/brands.js'
import type { ShardAllocation } from '../../../src/layout/configuration.js'
import type { CaughtUpReply, GatherReply } from '../../../src/net/messages.js'
import type {
  ReplicaEffect,
  ReplicaEvent,
} from '../../../src/storage/replication/replica-events.js'
import { ReplicaState, roleIn } from '../../../src/storage/replication/replica-state.js'
import { testPeer } from '../../helpers/scripted-peers.js'
import { SeededRandom } from '../../simulator/seeded-random.js'

export const BLOCKS = 2
const BLOCK = 4096
const REPLICAS = 3
/** So small that syncing replicas are told to skip. */
const LIMITS = { backlogBytes: 2 * BLOCK, window: 2 }
const NAME = { volume: volumeId(1), shard: shardIndex(0) }

interface Content {
  readonly value: number
  readonly tag: number
}

type Message =
  | { kind: 'event'; event: ReplicaEvent }
  | { kind: 'gather' | 'sync'; epoch: number }
  | { kind: 'fetch'; epoch: number; block: number; ticket: number }
  | { kind: 'block'; epoch: number; block: number; ticket: number; content: Content }
  | { kind: 'caught-up'; epoch: number; applied: number }
  | { kind: 'synced'; epoch: number }
  | ClientMessage
  | { kind: 'answer'; attempt: number; status: string; value: number }

interface ClientMessage {
  kind: 'read' | 'write'
  attempt: number
  connection: number
  epoch: number
  block: number
  blocks: number
  value: number
  request: number
  durable: boolean
}

export interface Operation {
  readonly kind: 'read' | 'write'
  readonly client: number
  readonly block: number
  readonly blocks: number
  value: number
  readonly called: number
  returned: number
}

export interface WorldOptions {
  readonly seed: number
  readonly trace?: (line: string) => void
}

interface CatchUp {
  readonly everything: boolean
  readonly need: Set<number>
  /** Written here since the block was asked for. */
  readonly asked: Map<number, number>
  announced: boolean
}

const payloadOf = (values: readonly number[]): Uint8Array => {
  const bytes = Buffer.alloc(values.length * BLOCK)
  values.forEach((value, i) => bytes.writeUInt32LE(value, i * BLOCK))
  return bytes
}

export class Server {
  readonly world: World
  readonly index: number
  readonly id: PeerId
  incarnation = 1
  up = true
  lease = true
  state!: ReplicaState
  disk: Content[] = Array.from({ length: BLOCKS }, () => ({ value: 0, tag: 0 }))
  memory: Content[] = []
  #unflushed: Content[][] = []
  /** What happens here some time later, in order. */
  local: (() => void)[] = []
  #parked: (readonly [number, ClientMessage])[] = []
  #calls = new Map<number, readonly [number, ClientMessage]>()
  #connections = new Map<number, number>()
  #token = 1
  catchUp: CatchUp | null = null
  #ticket = 1
  #answerCaughtUp: PeerId | null = null

  constructor(world: World, index: number) {
    this.world = world
    this.index = index
    this.id = testPeer(index + 1)
    this.boot()
  }

  boot(): void {
    const identity = { name: NAME, self: this.id, incarnation: at(this.incarnation) }
    this.state = new ReplicaState(identity, LIMITS)
    this.memory = [...this.disk]
    this.#unflushed = this.memory.map(() => [])
    this.local = []
    this.#parked = []
    this.#calls = new Map()
    this.catchUp = null
  }

  crash(): void {
    this.up = false
    this.lease = false
    this.#unflushed.forEach((contents, block) => {
      if (contents.length > 0 && this.world.random.chance(0.5)) {
        this.disk[block] = this.world.random.pick(contents)
      }
    })
    this.world.dropPaths(this.index)
  }

  restart(): void {
    this.up = true
    this.incarnation++
    this.boot()
    this.world.pathsUp(this.index)
  }

  flush(): void {
    this.disk = [...this.memory]
    this.#unflushed = this.memory.map(() => [])
  }

  put(block: number, content: Content): void {
    this.memory[block] = content
    this.#unflushed[block]?.push(content)
  }

  adopt(allocation: ShardAllocation): void {
    if (allocation.epoch <= this.state.epoch) return
    this.step({ kind: 'adopt', allocation })
  }

  step(event: ReplicaEvent): void {
    for (const effect of this.state.step(event)) this.#perform(effect)
  }

  #perform(effect: ReplicaEffect): void {
    const { world } = this
    const { epoch: allocation } = this.state
    switch (effect.kind) {
      case 'apply': {
        const bytes = Buffer.from(effect.payload)
        for (let i = 0; i < bytes.byteLength / BLOCK; i++) {
          const block = effect.block + i
          this.put(block, { value: bytes.readUInt32LE(i * BLOCK), tag: effect.allocation })
          this.catchUp?.asked.delete(block)
        }
        const { allocation: of, sequence: n } = effect
        this.local.push(() => {
          const made = effect.durable && world.random.chance(0.8)
          if (made) this.flush()
          const upTo = { sequence: n, durable: made ? n : sequence(0) }
          this.step({ kind: 'stored', allocation: of, ...upTo })
        })
        return
      }
      case 'send-replicate':
        return this.#send(effect.to, { kind: 'replicate', from: this.id, message: effect.message })
      case 'send-replicated':
        return this.#send(effect.to, { kind: 'replicated', from: this.id, message: effect.message })
      case 'send-committed':
        return this.#send(effect.to, { kind: 'committed', from: this.id, message: effect.message })
      case 'answer':
        if (effect.durable) this.#checkDurable(effect.token)
        return this.#answer(effect.token, effect.status)
      case 'park': {
        const call = this.#calls.get(effect.token)
        if (call) this.#parked.push(call)
        return
      }
      case 'progress': {
        const parked = this.#parked
        this.#parked = []
        for (const [from, message] of parked) this.local.push(() => this.#client(from, message))
        return
      }
      case 'prepare': {
        const call = this.#calls.get(effect.token)?.[1]
        if (!call) throw new Error('no such call')
        this.local.push(() => {
          for (const { block, blocks } of effect.spans) {
            const payload = payloadOf(Array.from({ length: blocks }, () => call.value))
            this.step({ kind: 'prepared', allocation, key: effect.key, block, payload })
          }
        })
        return
      }
      case 'gather':
        return world.send(this.index, indexOf(effect.from), { kind: 'gather', epoch: allocation })
      case 'read-own':
        this.local.push(() => {
          for (const { block, blocks } of effect.spans) {
            const values = this.memory.slice(block, block + blocks).map(({ value }) => value)
            this.step({ kind: 'own-content', allocation, block, payload: payloadOf(values) })
          }
          this.step({ kind: 'own-content-end', allocation })
        })
        return
      case 'confirm':
        return world.send(this.index, indexOf(effect.server), { kind: 'sync', epoch: allocation })
      case 'answer-caught-up':
        if (this.#answerCaughtUp) this.#counted(this.#answerCaughtUp, effect.reply)
        return
      case 'catch-up':
        this.catchUp = {
          everything: effect.everything,
          need: new Set(Array.from({ length: BLOCKS }, (_, i) => i)),
          asked: new Map(),
          announced: false,
        }
        return
      case 'stop-catch-up':
        this.catchUp = null
        return
      case 'want-epoch':
        if (world.random.chance(0.5)) this.local.push(() => this.adopt(world.allocation))
        return
      case 'discard-unapplied':
        this.local = []
        return
    }
  }

  /** What is called durable is so at all that a FLUSH would have to wait for. */
  #checkDurable(token: number): void {
    const { block, blocks, value } = this.#calls.get(token)![1]
    this.world.durable++
    for (const id of [this.id, ...this.state.required()]) {
      const server = this.world.servers[indexOf(id)]!
      for (let at = block; at < block + blocks; at++) {
        // Settling stores the same again.
        const isThere = server.disk[at]?.value === value
        if (isThere || !server.#unflushed[at]?.some(one => one.value === value)) continue
        throw new Error(`${value} is called durable, and server ${server.index} could lose it`)
      }
    }
  }

  #send(to: PeerId, event: ReplicaEvent): void {
    this.world.send(this.index, indexOf(to), { kind: 'event', event })
  }

  #counted(to: PeerId, reply: CaughtUpReply): void {
    const allocation = this.state.epoch
    if (reply.counted) this.#send(to, { kind: 'counted', allocation, reply })
    else this.world.send(this.index, indexOf(to), { kind: 'caught-up', epoch: -1, applied: 0 })
  }

  #answer(token: number, status: string): void {
    const call = this.#calls.get(token)
    if (!call) throw new Error('answered twice')
    this.#calls.delete(token)
    const { attempt } = call[1]
    this.world.send(this.index, call[0], { kind: 'answer', attempt, status, value: 0 })
  }

  receive(from: number, message: Message): void {
    const { state, world } = this
    const same = 'epoch' in message && message.epoch === state.epoch
    switch (message.kind) {
      case 'event':
        return this.step(message.event)
      case 'read':
      case 'write':
        if ((this.#connections.get(from) ?? 0) > message.connection) return
        this.#connections.set(from, message.connection)
        return this.#client(from, message)
      case 'gather': {
        if (message.epoch > state.epoch) this.adopt(world.allocation)
        if (message.epoch !== state.epoch || state.role !== 'in-sync') return
        const reply: GatherReply = state.gather()
        const event = { kind: 'gathered', allocation: state.epoch, from: this.id, reply } as const
        return world.send(this.index, from, { kind: 'event', event })
      }
      case 'sync':
        if (!same || state.role === 'none') return
        this.flush()
        return world.send(this.index, from, { kind: 'synced', epoch: message.epoch })
      case 'synced': {
        const server = testPeer(from + 1)
        if (!same || !state.isRequired(server)) return
        this.step({ kind: 'proposed', allocation: state.epoch, server })
        if (state.proposed().includes(server)) world.proposals.push([state.epoch, from])
        return
      }
      case 'fetch': {
        const span = { block: blockIndex(message.block), blocks: 1 }
        if (!same || !state.serving || state.undecided(span)) return
        const content = this.memory[message.block] ?? { value: 0, tag: 0 }
        return world.send(this.index, from, { ...message, kind: 'block', content })
      }
      case 'block':
        if (same) this.#take(message)
        return
      case 'caught-up':
        if (message.epoch === -1) {
          if (this.catchUp) this.catchUp.announced = false
          return
        }
        if (!same) return
        this.#answerCaughtUp = testPeer(from + 1)
        this.step({
          kind: 'caught-up',
          from: this.#answerCaughtUp,
          allocation: state.epoch,
          applied: message.applied as never,
        })
        this.#answerCaughtUp = null
        return
      case 'answer':
        throw new Error('an answer is for clients')
    }
  }

  #take(message: Extract<Message, { kind: 'block' }>): void {
    const { catchUp } = this
    if (!catchUp || catchUp.asked.get(message.block) !== message.ticket) return
    catchUp.need.delete(message.block)
    const own = this.memory[message.block]
    if (own?.tag === this.state.epoch && !catchUp.everything) return
    this.put(message.block, message.content)
  }

  /** One step of catching up, if there is one to do. */
  fetchSomething(): void {
    const { catchUp, state } = this
    if (!catchUp || !state.primary) return
    const primary = indexOf(state.primary)
    if (catchUp.need.size > 0) {
      const block = this.world.random.pick([...catchUp.need])
      const ticket = this.#ticket++
      catchUp.asked.set(block, ticket)
      this.world.send(this.index, primary, { kind: 'fetch', epoch: state.epoch, block, ticket })
      return
    }
    if (catchUp.announced && this.world.random.chance(0.9)) return
    catchUp.announced = true
    this.flush()
    const applied = state.applied
    this.world.send(this.index, primary, { kind: 'caught-up', epoch: state.epoch, applied })
  }

  /** Asks once more what it waits for: requests are lost with the path they were made on. */
  nudge(): void {
    for (const from of this.state.missing()) {
      this.world.send(this.index, indexOf(from), { kind: 'gather', epoch: this.state.epoch })
    }
    for (const server of this.state.proposed()) {
      this.world.proposals.push([this.state.epoch, indexOf(server)])
    }
  }

  #client(from: number, message: ClientMessage): void {
    const { state, world } = this
    const { attempt } = message
    const refuse = (status: string): void => {
      world.send(this.index, from, { kind: 'answer', attempt, status, value: 0 })
    }
    if (message.epoch > state.epoch) this.adopt(world.allocation)
    if (message.epoch < state.epoch) return refuse('stale-epoch')
    const span = { block: blockIndex(message.block), blocks: message.blocks }
    if (message.kind === 'read') {
      if (!state.serving) return refuse('not-serving')
      if (state.undecided(span)) return void this.#parked.push([from, message])
      const value = this.memory[message.block]?.value ?? 0
      if (!this.lease) return refuse('not-serving')
      return world.send(this.index, from, { kind: 'answer', attempt, status: 'ok', value })
    }
    if (state.role !== 'primary') return refuse('not-serving')
    const token = this.#token++
    this.#calls.set(token, [from, message])
    const origin = { client: testPeer(100 + from), request: requestNumber(message.request) }
    const { durable } = message
    const write = { token, ...origin, completeBelow: requestNumber(0), span, durable }
    this.step({ kind: 'client-write', write: { ...write, noRoom: false } })
  }
}

const at = (n: number): ReturnType<typeof incarnation> => incarnation(n)
const indexOf = (id: PeerId): number => parseInt(id.slice(-4), 16) - 1

/** Clients have numbers from 10 on, so that they share the channels with the servers. */
class Client {
  readonly #world: World
  readonly #index: number
  #connection = 1
  #attempts = 0
  #requests = 0
  #known: ShardAllocation
  left = 8
  operation: { readonly record: Operation; readonly request: number; attempt: number } | null = null
  #to = 0

  constructor(world: World, index: number) {
    this.#world = world
    this.#index = index
    this.#known = world.allocation
  }

  start(): void {
    const { random, history, time } = this.#world
    const kind = random.chance(0.6) ? 'write' : 'read'
    const block = random.below(BLOCKS)
    const blocks = kind === 'write' ? 1 + random.below(BLOCKS - block) : 1
    const value = kind === 'write' ? this.#world.nextValue++ : -1
    const client = this.#index
    const record = { kind, client, block, blocks, value, called: time, returned: Infinity } as const
    const operation: Operation = { ...record }
    history.push(operation)
    this.left--
    this.operation = { record: operation, request: ++this.#requests, attempt: 0 }
    this.#send()
  }

  #send(): void {
    if (!this.operation) return
    const { record, request } = this.operation
    const { random } = this.#world
    const replicas = this.#known.replicas.filter(replica => replica.state === 'in-sync')
    const target = record.kind === 'write' ? replicas[0] : random.pick(replicas)
    if (!target) throw new Error('no replica')
    this.#to = indexOf(target.server)
    this.operation.attempt = ++this.#attempts
    const { kind, block, blocks, value } = record
    this.#world.send(this.#index, this.#to, {
      ...{ kind, block, blocks, value, request },
      ...{ attempt: this.#attempts, connection: this.#connection, epoch: this.#known.epoch },
      durable: kind === 'write' && random.chance(0.5),
    })
  }

  again(lost: boolean): void {
    if (lost) {
      this.#connection++
      if (this.#world.random.chance(0.5)) this.#world.dropChannel(this.#index, this.#to)
    }
    this.#known = this.#world.allocation
    this.#send()
  }

  receive(message: Message): void {
    if (message.kind !== 'answer' || message.attempt !== this.operation?.attempt) return
    if (message.status !== 'ok') return this.again(false)
    const { record } = this.operation
    record.returned = this.#world.time
    if (record.kind === 'read') record.value = message.value
    this.operation = null
  }
}

export class World {
  readonly random: SeededRandom
  readonly history: Operation[] = []
  readonly servers: readonly Server[]
  readonly #clients: readonly Client[]
  readonly #channels = new Map<string, { from: number; to: number; queue: Message[] }>()
  readonly proposals: [number, number][] = []
  allocation: ShardAllocation
  time = 0
  nextValue = 1
  /** Answers that said so. */
  durable = 0
  readonly #trace: ((line: string) => void) | undefined

  constructor({ seed, trace }: WorldOptions) {
    this.random = new SeededRandom(seed)
    this.#trace = trace
    const replicas = Array.from({ length: REPLICAS }, (_, i) => {
      return { server: testPeer(i + 1), state: 'in-sync', incarnation: at(1) } as const
    })
    this.allocation = { epoch: epoch(1), generation: generation(0), replicas, stale: [] }
    this.servers = replicas.map((_, i) => new Server(this, i))
    for (const server of this.servers) server.adopt(this.allocation)
    this.#clients = [10, 11].map(index => new Client(this, index))
  }

  send(from: number, to: number, message: Message): void {
    const key = `${from}>${to}`
    const channel = this.#channels.get(key) ?? { from, to, queue: [] }
    this.#channels.set(key, channel)
    if (this.servers[to]?.up === false || this.servers[from]?.up === false) return
    this.#trace?.(`${this.time} ${key} ${describe(message)}`)
    channel.queue.push(message)
  }

  dropChannel(a: number, b: number): void {
    this.#channels.delete(`${a}>${b}`)
    this.#channels.delete(`${b}>${a}`)
  }

  /** A path between two servers breaks, and there is a new one at once. */
  breakPath(a: Server, b: Server): void {
    this.dropChannel(a.index, b.index)
    this.#trace?.(`${this.time} broken ${a.index} ${b.index}`)
    if (!a.up || !b.up) return
    for (const [one, other] of this.random.chance(0.5)
      ? [
          [a, b],
          [b, a],
        ]
      : [
          [b, a],
          [a, b],
        ]) {
      one?.step({ kind: 'path', peer: other!.id, up: true })
    }
  }

  dropPaths(index: number): void {
    this.#trace?.(`${this.time} crash ${index}`)
    for (const other of [...this.servers.map(s => s.index), 10, 11]) this.dropChannel(index, other)
    for (const server of this.servers) {
      if (server.index === index || !server.up) continue
      server.step({ kind: 'path', peer: testPeer(index + 1), up: false })
    }
  }

  pathsUp(index: number): void {
    this.#trace?.(`${this.time} restart ${index}`)
    for (const server of this.servers) {
      if (server.index === index || !server.up) continue
      server.step({ kind: 'path', peer: testPeer(index + 1), up: true })
    }
  }

  #commit(replicas: ShardAllocation['replicas'], why: string): void {
    const stale = this.servers.map(s => s.id).filter(id => !replicas.some(r => r.server === id))
    const next = epoch(this.allocation.epoch + 1)
    this.allocation = { ...this.allocation, epoch: next, replicas, stale }
    this.#trace?.(`${this.time} CONFIG ${next} ${why}`)
  }

  /** What the managers might do now, one step each (no shard loses all its memory here). */
  #managers(heal: boolean): (() => void)[] {
    const { replicas, stale } = this.allocation
    const actions: (() => void)[] = []
    const server = (id: PeerId): Server => this.servers[indexOf(id)]!
    const alive = (r: (typeof replicas)[number]): boolean =>
      server(r.server).up && server(r.server).incarnation === r.incarnation
    const inSync = replicas.filter(r => r.state === 'in-sync')
    const survivors = inSync.filter(alive)
    const without = (r: (typeof replicas)[number]) => replicas.filter(other => other !== r)
    for (const r of replicas) {
      const dead = !alive(r)
      if (r.state === 'in-sync' ? !dead && (heal || survivors.length < 2) : !dead && heal) continue
      if (r.state === 'in-sync' && survivors.length === 0) continue
      if (!dead && !this.random.chance(0.2)) continue
      actions.push(() => {
        server(r.server).lease = false // it is dropped when its lease has run out
        this.#commit(without(r), `drop ${indexOf(r.server)}`)
      })
    }
    for (const id of stale) {
      if (!server(id).up || survivors.length === 0) continue
      const joining = {
        server: id,
        state: 'syncing',
        incarnation: at(server(id).incarnation),
      } as const
      actions.push(() => this.#commit([...replicas, joining], `sync ${indexOf(id)}`))
    }
    const [proposal] = this.proposals
    if (proposal) {
      actions.push(() => {
        this.proposals.shift()
        const [of, index] = proposal
        const r = replicas.find(other => other.server === testPeer(index + 1))
        if (of !== this.allocation.epoch || r?.state !== 'syncing') return
        const now = [...inSync, { ...r, state: 'in-sync' as const }]
        this.#commit([...now, ...replicas.filter(x => x.state === 'syncing' && x !== r)], 'in-sync')
      })
    }
    return actions
  }

  step(heal: boolean): void {
    this.time++
    const { random } = this
    const actions: (() => void)[] = []
    for (const { from, to, queue } of this.#channels.values()) {
      if (queue.length === 0) continue
      const deliver = (): void => {
        const message = queue.shift()
        if (message) this.#deliver(from, to, message)
      }
      actions.push(deliver, deliver, deliver)
    }
    for (const server of this.servers) actions.push(...this.#ofServer(server, heal))
    for (const client of this.#clients) {
      const { operation } = client
      if (!operation && client.left > 0) actions.push(() => client.start())
      if (operation && random.chance(heal ? 0.5 : 0.15)) actions.push(() => client.again(true))
    }
    if (random.chance(heal ? 0.6 : 0.25)) actions.push(...this.#managers(heal))
    if (!heal) actions.push(...this.#faults())
    if (actions.length > 0) random.pick(actions)()
  }

  #ofServer(server: Server, heal: boolean): (() => void)[] {
    const { random } = this
    if (!server.up) return heal || random.chance(0.5) ? [() => server.restart()] : []
    const actions: (() => void)[] = []
    if (server.state.epoch < this.allocation.epoch)
      actions.push(() => server.adopt(this.allocation))
    const soon = (): void => server.local.shift()?.()
    if (server.local.length > 0) actions.push(soon, soon)
    if (server.catchUp) actions.push(() => server.fetchSomething())
    if (random.chance(0.1)) actions.push(() => server.nudge())
    if (random.chance(0.15)) actions.push(() => server.flush())
    const current = server.state.epoch === this.allocation.epoch
    if (current && !server.lease && server.state.serving) actions.push(() => (server.lease = true))
    return actions
  }

  #faults(): (() => void)[] {
    const { random } = this
    const actions: (() => void)[] = []
    if (random.chance(0.05)) {
      const victim = random.pick(this.servers)
      const others = this.allocation.replicas.filter(r => {
        const server = this.servers[indexOf(r.server)]!
        return (
          r.state === 'in-sync' &&
          server !== victim &&
          server.up &&
          server.incarnation === r.incarnation
        )
      })
      if (victim.up && others.length > 0) actions.push(() => victim.crash())
    }
    if (random.chance(0.1)) {
      const [a, b] = [random.pick(this.servers), random.pick(this.servers)]
      if (a !== b) actions.push(() => this.breakPath(a, b))
    }
    return actions
  }

  #deliver(from: number, to: number, message: Message): void {
    const server = this.servers[to]
    if (!server) return this.#clients[to - 10]?.receive(message)
    if (server.up) server.receive(from, message)
  }

  /** Null if everything is well again. */
  unhealed(): string | null {
    const { allocation } = this
    const good = this.servers.every(({ up, id, incarnation: n, state }) => {
      const role = roleIn(allocation, { self: id, incarnation: at(n) })
      const whole = { block: blockIndex(0), blocks: BLOCKS }
      const same = state.epoch === allocation.epoch && state.role === role
      return up && same && state.serving && !state.undecided(whole)
    })
    const idle = this.#clients.every(({ operation, left }) => !operation && left === 0)
    if (good && idle) return null
    const roles = this.servers.map(s => `${s.state.role}@${s.state.epoch} ${s.local.length}`)
    return `${JSON.stringify(allocation)} ${roles.join(', ')} clients ${idle ? 'idle' : 'wait'}`
  }
}

function describe(message: Message): string {
  const event = message.kind === 'event' ? message.event : message
  return JSON.stringify(event, (key, value: unknown) => (key === 'payload' ? '…' : value))
}
