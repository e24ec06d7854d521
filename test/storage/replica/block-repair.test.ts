// Repairing a corrupt block must not undo a write that the other replica does not have yet.
import test from 'tape'
import { epoch, shardIndex, volumeId } from '../../../src/base/brands.js'
import { silentLog } from '../../../src/base/log.js'
import { BLOCK_BYTES, INDEX_ENTRY_BYTES } from '../../../src/base/limits.js'
import { repairBlocks } from '../../../src/storage/replica/block-repair.js'
import type { ReplicaContext } from '../../../src/storage/replica/replica-context.js'
import { FetchGuards } from '../../../src/storage/replication/fetch-guards.js'
import { encodeEntry } from '../../../src/storage/store/layer-format.js'
import { testPeer } from '../../helpers/scripted-peers.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'

const NAME = { volume: volumeId(1), shard: shardIndex(0) }

/** A replica whose block 7 is corrupt, and another that answers with a copy. */
function damaged(open: { write: boolean }) {
  const clock = new VirtualClock()
  const done: string[] = []
  const entries = new Uint8Array(INDEX_ENTRY_BYTES)
  encodeEntry(entries, 0, { state: 'data', epoch: epoch(3), checksum: 1 })
  const reply = { status: 'ok', entries, payload: new Uint8Array(BLOCK_BYTES) }
  const request = (): Promise<unknown> => {
    done.push(open.write ? 'asked too early' : 'asked')
    return Promise.resolve(reply)
  }
  const adopt = (): Promise<void> => {
    done.push('adopted')
    return Promise.resolve()
  }
  const context = {
    name: NAME,
    store: { adopt },
    state: { epoch: epoch(3), inSyncOthers: () => [testPeer(1)], undecided: () => open.write },
    guards: new FetchGuards(),
    host: { clock, log: silentLog, peers: { request }, foundCorrupt: () => undefined },
    here: () => ({ ...NAME, allocation: epoch(3) }),
  } as unknown as ReplicaContext
  return { clock, context, done }
}

test('a copy is asked for when no write of the block is open here', async t => {
  const open = { write: true }
  const { clock, context, done } = damaged(open)
  const repaired = repairBlocks(context, [7])
  await clock.advance(500)
  t.deepEqual(done, [], 'the other one may not have that write')
  open.write = false
  t.ok(await clock.settle('the repair', repaired))
  t.deepEqual(done, ['asked', 'adopted'])
})

test('a write that stays open is not undone: later', async t => {
  const { clock, context, done } = damaged({ write: true })
  t.notOk(await clock.settle('the repair', repairBlocks(context, [7])))
  t.deepEqual(done, [])
})
