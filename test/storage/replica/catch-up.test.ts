// Catching up while an answer is lost: one pass over what differs ends before the next one begins,
// and what is left is never less than nothing (which would be an assertion's end).
import test from 'tape'
import { byteCount } from '../../../src/base/brands.js'
import {
  BLOCK_BYTES,
  BLOCKS_PER_INDEX_PAGE,
  FETCH_PAGES_AT_ONCE,
  RECOVERY_BYTES_MIN,
} from '../../../src/base/limits.js'
import { LOST } from '../../../src/net/peers.js'
import {
  inSync,
  SERVER_A,
  SERVER_B,
  SERVER_C,
  StorageCluster,
  syncing,
} from '../storage-cluster.js'

const PAGES = 9
/** Written in each of them. */
const PAGE_BLOCKS = 64

interface Outcome {
  readonly equal: boolean
  /** The most that were asked for at the same time. */
  readonly most: number
}

async function catchUp(lost: number): Promise<Outcome> {
  const cluster = new StorageCluster()
  // So slow that the pass goes on for longer than the pause before another one.
  cluster.maxRecovery = byteCount(RECOVERY_BYTES_MIN)
  await cluster.started()
  cluster.reallocate([inSync(SERVER_A), inSync(SERVER_B)], { stale: [SERVER_C] })
  await cluster.adopted()
  for (let page = 0; page < PAGES; page++) {
    const block = page * BLOCKS_PER_INDEX_PAGE
    await cluster.wrote(block, 10 + page, { length: PAGE_BLOCKS * BLOCK_BYTES })
  }
  const { peers } = cluster.servers.get(SERVER_C)!
  const request = peers.request.bind(peers)
  let [count, asked, most] = [0, 0, 0]
  peers.request = async (...words: Parameters<typeof request>) => {
    if (words[1] !== 'index-page') return request(...words)
    if (count++ === lost) return LOST
    most = Math.max(most, ++asked)
    return request(...words).finally(() => asked--)
  }
  cluster.reallocate([inSync(SERVER_A), inSync(SERVER_B), syncing(SERVER_C)])
  await cluster.caughtUp(SERVER_C)
  const pictures = [SERVER_A, SERVER_C].map(id => cluster.shard(id).picture())
  return { equal: pictures[0] === pictures[1], most }
}

test('the answer for any one page is lost', async t => {
  for (let lost = 0; lost < PAGES; lost++) {
    const { equal, most } = await catchUp(lost)
    t.ok(equal, `number ${lost}: the copies are equal`)
    t.equal(most, FETCH_PAGES_AT_ONCE, 'pages of one pass alone are under way')
  }
})
