// Which blocks layers hold, as a replica answers: first of one replica over layers in memory, with
// its limits; then of whole servers, by the rules of reads.
import test from 'tape'
import { blockIndex, epoch } from '../../../src/base/brands.js'
import { BLOCKS_PER_INDEX_PAGE, HELD_PAGES_MAX, HELD_RANGES_MAX } from '../../../src/base/limits.js'
import { FIRST_LAYER, freeze } from '../../../src/layout/layers.js'
import { decode } from '../../../src/net/codecs/codec.js'
import { heldAnswer } from '../../../src/net/codecs/messages.js'
import type { DataStatus, HeldAnswer } from '../../../src/net/messages.js'
import { LOST } from '../../../src/net/peers.js'
import { serveHeld } from '../../../src/storage/replica/held-blocks.js'
import type { ReadConfirmation } from '../../../src/storage/replica/read-confirmation.js'
import type { ClientCall, ReplicaContext } from '../../../src/storage/replica/replica-context.js'
import { encodeEntry, ZEROES_CHECKSUM } from '../../../src/storage/store/layer-format.js'
import {
  inSync,
  SERVER_A,
  SERVER_B,
  SERVER_C,
  SHARD,
  StorageCluster,
  syncing,
} from '../storage-cluster.js'

const PAGE = BLOCKS_PER_INDEX_PAGE

type Fill = 'data' | 'zeroes'

/** A replica whose layers hold what a test says. */
class Held {
  readonly layers = freeze(freeze([FIRST_LAYER]))
  readonly #pages = new Map<string, Uint8Array>()
  readonly #counts = new Map<number, number>()
  readonly state = {
    epoch: epoch(5),
    serving: true,
    undecided: (): boolean => false,
  }
  pagesRead = 0
  parked = 0
  dispatched = 0
  lease = true
  onRead: () => void = () => undefined

  put(layer: number, block: number, state: Fill = 'data'): void {
    const page = Math.floor(block / PAGE)
    const key = `${layer}/${page}`
    const bytes = this.#pages.get(key) ?? new Uint8Array(4096)
    const checksum = state === 'data' ? 1 : ZEROES_CHECKSUM
    encodeEntry(bytes, block % PAGE, { state, epoch: epoch(3), checksum })
    this.#pages.set(key, bytes)
    this.#counts.set(layer, Math.max(this.#counts.get(layer) ?? 0, page + 1))
  }

  /** What a client would be told: the answer, or the status, or null if it has to wait. */
  async ask(layers: readonly number[], block: number, blocks: number) {
    let given: HeldAnswer | DataStatus | null = null
    const request = { ...SHARD, epoch: epoch(5), layers, block: blockIndex(block), blocks }
    const finish = (status: DataStatus, payload: Uint8Array): void => {
      given = status === 'ok' ? decode(heldAnswer, payload) : status
    }
    const call = { kind: 'held-blocks', request, finish } as unknown as ClientCall
    if (call.kind !== 'held-blocks') throw new Error('another call')
    const confirmation = { confirmed: () => Promise.resolve(false) } as unknown as ReadConfirmation
    await serveHeld(this.#context(), confirmation, call)
    return given as HeldAnswer | DataStatus | null
  }

  #context(): ReplicaContext {
    const store = {
      layers: this.layers,
      pageCount: (layer: number) => this.#counts.get(layer) ?? 0,
      indexPage: (layer: number, page: number) => {
        this.pagesRead++
        this.onRead()
        return Promise.resolve(this.#pages.get(`${layer}/${page}`) ?? new Uint8Array(4096))
      },
    }
    const host = {
      leaseValid: () => this.lease,
      fenced: () => false,
      dispatch: () => {
        this.dispatched++
      },
    }
    const park = (): void => {
      this.parked++
    }
    return { name: SHARD, state: this.state, store, host, park } as unknown as ReplicaContext
  }
}

function rangesOf(answer: HeldAnswer | DataStatus | null): string {
  if (answer === null || typeof answer === 'string') return String(answer)
  const ranges = answer.ranges.map(({ block, blocks, zeroes }) => {
    return `${block}+${blocks}${zeroes ? 'z' : ''}`
  })
  return [...ranges, `to ${answer.end}`].join(' ')
}

test('ranges of what layers hold; the first of them counts', async t => {
  const held = new Held()
  for (const block of [1, 2, 3, 9]) held.put(1, block)
  held.put(2, 3, 'zeroes')
  held.put(2, 4)
  held.put(3, 2, 'zeroes')
  t.equal(rangesOf(await held.ask([1], 0, 20)), '1+3 9+1 to 20')
  t.equal(rangesOf(await held.ask([2, 1], 0, 20)), '1+2 3+1z 4+1 9+1 to 20')
  t.equal(rangesOf(await held.ask([1, 2], 0, 20)), '1+4 9+1 to 20', 'in this order')
  t.equal(rangesOf(await held.ask([2], 3, 1)), '3+1z to 4', 'only what was asked for')
  t.equal(rangesOf(await held.ask([4], 0, 1)), 'out-of-range', 'a layer that is not there')
})

test('it costs the pages up to the last of the layers, not the volume', async t => {
  const held = new Held()
  held.put(1, 10)
  held.put(2, 3 * PAGE + 1)
  t.equal(rangesOf(await held.ask([2, 1], 0, 2 ** 40)), `10+1 ${3 * PAGE + 1}+1 to ${2 ** 40}`)
  t.equal(held.pagesRead, 5, 'one of the older, four of the newer')
  held.pagesRead = 0
  t.equal(rangesOf(await held.ask([3], 0, 2 ** 40)), `to ${2 ** 40}`)
  t.equal(held.pagesRead, 0, 'nothing is held')
})

test('an answer is bounded in ranges and in pages, and asked on from its end', async t => {
  const held = new Held()
  for (let block = 0; block < 6 * PAGE; block += 2) held.put(1, block)
  let [at, ranges, answers] = [0, 0, 0]
  while (at < 6 * PAGE) {
    const answer = await held.ask([1], at, 6 * PAGE - at)
    if (answer === null || typeof answer === 'string') throw new Error('refused')
    t.ok(answer.ranges.length <= HELD_RANGES_MAX && answer.end > at)
    at = answer.end
    ranges += answer.ranges.length
    answers++
  }
  t.deepEqual([ranges, answers > 1], [3 * PAGE, true])
  const sparse = new Held()
  sparse.put(1, 2 * HELD_PAGES_MAX * PAGE)
  t.equal(rangesOf(await sparse.ask([1], 0, 2 ** 40)), `to ${HELD_PAGES_MAX * PAGE}`)
})

test('of the head nothing is said where a write is open', async t => {
  const held = new Held()
  held.put(3, 1)
  held.put(3, PAGE)
  const open = (block: number) => (span: { readonly block: number; readonly blocks: number }) =>
    block >= span.block && block < span.block + span.blocks
  held.state.undecided = open(PAGE + 3) as () => boolean
  t.equal(rangesOf(await held.ask([3], 0, 2 * PAGE)), `1+1 to ${PAGE}`, 'up to there')
  t.equal(await held.ask([3], PAGE, PAGE), null)
  t.equal(held.parked, 1, 'it waits')
  t.equal(rangesOf(await held.ask([2, 1], 0, 2 * PAGE)), `to ${2 * PAGE}`, 'frozen layers do not')
})

test('what was looked up counts only if the server may still serve', async t => {
  const held = new Held()
  held.put(1, 1)
  held.lease = false
  t.equal(await held.ask([1], 0, 8), 'not-serving', 'no lease, and nobody vouches')
  held.lease = true
  held.onRead = () => (held.state.epoch = epoch(6))
  t.equal(await held.ask([1], 0, 8), null)
  t.equal(held.dispatched, 1, 'a new allocation: decided again')
  held.onRead = () => (held.state.serving = false)
  t.equal(await held.ask([1], 0, 8), 'not-serving')
})

test('whole servers: any in-sync replica answers, by the epoch table', async t => {
  const cluster = await StorageCluster.start()
  for (const block of [0, 1, 5]) await cluster.wrote(block, 7)
  await cluster.wrote(1, 0)
  const ask = async (to: typeof SERVER_A, at = cluster.configuration.epoch): Promise<string> => {
    const span = { block: blockIndex(0), blocks: 100 }
    const request = { ...SHARD, epoch: at, layers: [FIRST_LAYER.id], ...span }
    const reply = await cluster.done('ask', cluster.client.request(to, 'held-blocks', request))
    if (reply === LOST) return 'lost'
    return reply.status === 'ok' ? rangesOf(decode(heldAnswer, reply.payload)) : reply.status
  }
  for (const server of [SERVER_A, SERVER_B, SERVER_C]) {
    t.equal(await ask(server), '0+1 1+1z 5+1 to 100')
  }
  const before = cluster.configuration.epoch
  cluster.reallocate([inSync(SERVER_A), inSync(SERVER_B), syncing(SERVER_C)])
  await cluster.adopted()
  t.equal(await ask(SERVER_A, before), 'stale-epoch')
  t.equal(await ask(SERVER_C), 'not-serving', 'not by one that catches up')
  t.equal(await ask(SERVER_B), '0+1 1+1z 5+1 to 100')
  t.equal(cluster.reports.get(SERVER_B)?.served.reads, 0, 'it is no read')
})
