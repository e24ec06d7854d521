// Repairing a corrupt block must not undo a write that the other replica does not have yet.
import test from 'tape'
import { blockIndex, epoch, shardIndex, volumeId, type PeerId } from '../../../src/base/brands.js'
import { silentLog } from '../../../src/base/log.js'
import { BLOCK_BYTES, INDEX_ENTRY_BYTES } from '../../../src/base/limits.js'
import { FIRST_LAYER } from '../../../src/layout/layers.js'
import { repairBlocks, type Repair } from '../../../src/storage/replica/block-repair.js'
import type { ReplicaContext } from '../../../src/storage/replica/replica-context.js'
import { FetchGuards } from '../../../src/storage/replication/fetch-guards.js'
import { encodeEntry } from '../../../src/storage/store/layer-format.js'
import { LOST } from '../../../src/net/peers.js'
import { testPeer } from '../../helpers/scripted-peers.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'

const NAME = { volume: volumeId(1), shard: shardIndex(0) }

type Answer = 'copy' | 'refused' | 'corrupt' | 'lost'

/** A replica whose block 7 is corrupt, and others that answer so; by default one with a copy. */
function damaged(open: { write: boolean }, answers: readonly Answer[] = ['copy']) {
  const clock = new VirtualClock()
  const done: string[] = []
  const entries = new Uint8Array(INDEX_ENTRY_BYTES)
  encodeEntry(entries, 0, { state: 'data', epoch: epoch(3), checksum: 1 })
  const copy = { status: 'ok', entries, busy: false, payload: new Uint8Array(BLOCK_BYTES) }
  const others = answers.map((_, i) => testPeer(i + 1))
  const request = (to: PeerId): Promise<unknown> => {
    done.push(open.write ? 'asked too early' : 'asked')
    const answer = answers[others.indexOf(to)]
    return Promise.resolve(answer === 'copy' ? copy : answer === 'lost' ? LOST : { status: answer })
  }
  const adopt = (): Promise<void> => {
    done.push('adopted')
    return Promise.resolve()
  }
  const context = {
    name: NAME,
    store: { adopt, layers: [FIRST_LAYER] },
    state: { epoch: epoch(3), inSyncOthers: () => others, undecided: () => open.write },
    guards: new FetchGuards(),
    host: {
      ...{ clock, log: silentLog, peers: { request } },
      ...{ foundCorrupt: () => undefined, recovery: { count: () => undefined } },
    },
    here: () => ({ ...NAME, allocation: epoch(3) }),
  } as unknown as ReplicaContext
  return { clock, context, done }
}

const BAD = { block: blockIndex(7), layer: FIRST_LAYER.id }

test('a copy is asked for when no write of the block is open here', async t => {
  const open = { write: true }
  const { clock, context, done } = damaged(open)
  const repaired = repairBlocks(context, [BAD])
  await clock.advance(500)
  t.deepEqual(done, [], 'the other one may not have that write')
  open.write = false
  t.equal(await clock.settle('the repair', repaired), 'repaired')
  t.deepEqual(done, ['asked', 'adopted'])
})

test('a write that stays open is not undone: later', async t => {
  const { clock, context, done } = damaged({ write: true })
  t.equal(await clock.settle('the repair', repairBlocks(context, [BAD])), 'not-now')
  t.deepEqual(done, [])
})

test('only when all others have been heard is there no good copy', async t => {
  const cases: readonly [readonly Answer[], Repair][] = [
    [[], 'no-copy'],
    [['corrupt'], 'no-copy'],
    [['corrupt', 'copy'], 'repaired'],
    [['lost', 'copy'], 'repaired'],
    [['lost'], 'not-now'],
    [['refused'], 'not-now'],
    [['lost', 'corrupt'], 'not-now'],
    [['corrupt', 'refused'], 'not-now'],
  ]
  for (const [answers, expected] of cases) {
    const { clock, context } = damaged({ write: false }, answers)
    const repair = await clock.settle('the repair', repairBlocks(context, [BAD]))
    t.equal(repair, expected, `others: ${answers.join(', ') || 'none'}`)
  }
})
