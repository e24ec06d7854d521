// What scripted storage servers hold together, and how they execute requests: by the epoch rule,
// each write once, volatile until FLUSH.
import { blockIndex, epoch, generation, volumeId, type PeerId } from '../../src/base/brands.js'
import { BLOCK_BYTES } from '../../src/base/limits.js'
import type { Configuration } from '../../src/layout/configuration.js'
import { headOf } from '../../src/layout/layers.js'
import { encode } from '../../src/net/codecs/codec.js'
import { heldAnswer } from '../../src/net/codecs/messages.js'
import {
  HEAD,
  type DataReply,
  type DataStatus,
  type FlushRequest,
  type HeldRequest,
  type ReadRequest,
  type WriteRequest,
} from '../../src/net/messages.js'
import type { DataOperation } from '../../src/net/operations.js'
import { HeldRanges } from '../../src/snapshot/held-ranges.js'

export interface DataRequest {
  readonly kind: DataOperation
  readonly to: PeerId
  readonly shard: number
  /** Of a read; HEAD otherwise. */
  readonly layer: number
  readonly epoch: number
  readonly offset: number
  readonly length: number
  readonly request: number
  readonly completeBelow: number
  readonly durable: boolean
  readonly payload: Uint8Array
  /** Of a question about held blocks. */
  readonly held: HeldRequest | null
}

export function dataRequest(kind: DataRequest['kind'], to: PeerId, request: unknown): DataRequest {
  const fields = request as Partial<ReadRequest & WriteRequest & FlushRequest>
  const payload = fields.payload ?? new Uint8Array(0)
  return {
    kind,
    to,
    shard: fields.shard ?? 0,
    layer: fields.layer ?? HEAD,
    epoch: fields.epoch ?? epoch(0),
    offset: fields.offset ?? 0,
    length: fields.length ?? payload.length,
    request: fields.request ?? 0,
    completeBelow: fields.completeBelow ?? 0,
    durable: fields.durable ?? false,
    payload,
    held: kind === 'held-blocks' ? (request as HeldRequest) : null,
  }
}

type Blocks = Map<string, Uint8Array>

export class ServerContent {
  readonly #configuration: () => Configuration
  #volatile: Blocks = new Map()
  #durable: Blocks = new Map()
  /** By layer: what is seen from it. */
  readonly #frozen = new Map<number, Blocks>()
  readonly #executed = new Set<string>()
  /** By layer, what was written while it was the head: whether it is zeroes. */
  readonly #own = new Map<number, Map<string, boolean>>()
  #written = new Map<string, boolean>()
  /** Ranges of one answer about held blocks. */
  heldRangesMax = 1_000
  /** Whether writes are made durable that are to be. */
  makesDurable = true

  constructor(configuration: () => Configuration) {
    this.#configuration = configuration
  }

  /** All servers crash at once and come back with what was flushed. */
  loseMemory(): void {
    this.#volatile = new Map(this.#durable)
    this.#executed.clear()
  }

  /** What is written from now on is not seen from this layer. */
  freeze(layer: number): void {
    this.#frozen.set(layer, new Map(this.#volatile))
    this.#own.set(layer, this.#written)
    this.#written = new Map()
  }

  /** The head is what is seen from this layer. */
  rollBack(layer: number): void {
    this.#volatile = new Map(this.#frozen.get(layer))
    this.#written = new Map()
  }

  /** What the servers hold, byte by byte. */
  content(shard: number, offset: number, length: number): Uint8Array {
    return contentOf(this.#volatile, shard, { offset, length })
  }

  durable(shard: number, block: number): Uint8Array | undefined {
    return this.#durable.get(`${shard}:${block}`)
  }

  reply(data: DataRequest, status: DataStatus, payload: Uint8Array = new Uint8Array(0)): DataReply {
    const configuration = this.#configuration()
    const allocation = configuration.volumes.get(volumeId(1))?.shards[data.shard]
    return {
      status,
      epoch: configuration.epoch,
      generation: allocation?.generation ?? generation(0),
      queue: 0,
      durable: false,
      payload,
    }
  }

  /** A retry by the same number changes nothing. */
  execute(data: DataRequest): DataReply {
    const allocation = this.#configuration().volumes.get(volumeId(1))?.shards[data.shard]
    if (!allocation) return this.reply(data, 'not-serving')
    if (data.epoch < allocation.epoch) return this.reply(data, 'stale-epoch')
    const primary = allocation.replicas[0]?.server === data.to
    if (data.held) return this.#held(data, data.held)
    if (!primary && data.kind !== 'read') return this.reply(data, 'not-serving')
    if (data.kind === 'read') {
      const blocks = data.layer === HEAD ? this.#volatile : this.#frozen.get(data.layer)
      if (!blocks) return this.reply(data, 'out-of-range')
      return this.reply(data, 'ok', contentOf(blocks, data.shard, data))
    }
    const executes = data.kind === 'write' && this.#write(data)
    const durable = executes && data.durable && this.makesDurable
    if (durable || data.kind === 'flush') this.#flush(data.shard)
    return { ...this.reply(data, 'ok'), durable }
  }

  #flush(shard: number): void {
    for (const [key, block] of this.#volatile) {
      if (key.startsWith(`${shard}:`)) this.#durable.set(key, block)
    }
  }

  #held(data: DataRequest, { layers, block, blocks }: HeldRequest): DataReply {
    const volume = this.#configuration().volumes.get(volumeId(1))
    const records = layers.map(id => volume?.layers.find(layer => layer.id === id))
    if (!volume || records.includes(undefined)) return this.reply(data, 'out-of-range')
    const found = new HeldRanges()
    const places = records.flatMap(layer => {
      const isHead = layer!.id === headOf(volume.layers).id
      const numbers = layer!.covers.flatMap(({ first, last }) =>
        Array.from({ length: last - first + 1 }, (_, i) => last - i),
      )
      return [...(isHead ? [this.#written] : []), ...numbers.map(n => this.#own.get(n))]
    })
    const touched = [...new Set(places.flatMap(own => [...(own?.keys() ?? [])]))]
      .filter(key => key.startsWith(`${data.shard}:`))
      .map(key => Number(key.split(':')[1]))
      .sort((a, b) => a - b)
      .filter(number => number >= block && number < block + blocks)
    let end = block + blocks
    for (const number of touched) {
      const key = `${data.shard}:${number}`
      found.add(number, places.find(own => own?.has(key))!.get(key)!)
      if (found.count < this.heldRangesMax) continue
      end = number + 1
      break
    }
    return this.reply(data, 'ok', encode(heldAnswer, { end: blockIndex(end), ranges: found.list }))
  }

  /** False: it was executed before. */
  #write({ shard, offset, request, payload }: DataRequest): boolean {
    const once = `${shard}:${request}`
    if (this.#executed.has(once)) return false
    this.#executed.add(once)
    for (let i = 0; i < payload.length;) {
      const at = offset + i
      const key = `${shard}:${Math.floor(at / BLOCK_BYTES)}`
      const block = new Uint8Array(this.#volatile.get(key) ?? new Uint8Array(BLOCK_BYTES))
      const within = at % BLOCK_BYTES
      const part = payload.subarray(i, i + BLOCK_BYTES - within)
      block.set(part, within)
      this.#volatile.set(key, block)
      this.#written.set(
        key,
        block.every(byte => byte === 0),
      )
      i += part.length
    }
    return true
  }
}

function contentOf(
  blocks: Blocks,
  shard: number,
  { offset, length }: { readonly offset: number; readonly length: number },
): Uint8Array {
  const content = new Uint8Array(length)
  for (let done = 0; done < length;) {
    const within = (offset + done) % BLOCK_BYTES
    const block = blocks.get(`${shard}:${Math.floor((offset + done) / BLOCK_BYTES)}`)
    const part = Math.min(BLOCK_BYTES - within, length - done)
    if (block) content.set(block.subarray(within, within + part), done)
    done += part
  }
  return content
}
