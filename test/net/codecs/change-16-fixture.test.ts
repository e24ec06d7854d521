// Change 16 as managers keep it in their history: what a release wrote stays what it was.
import { readFileSync } from 'node:fs'
import test from 'tape'
import { epoch, shardIndex, volumeId } from '../../../src/base/brands.js'
import type { Change } from '../../../src/layout/change.js'
import { decodeChange, encodeChange } from '../../../src/net/codecs/configuration.js'
import { testPeer } from '../../helpers/scripted-peers.js'

const FIXTURE = new URL('../../fixtures/formats/change-16.json', import.meta.url)
const PROMOTED: Change = {
  ...{ kind: 'shard-promoted', volume: volumeId(7), shard: shardIndex(300) },
  ...{ server: testPeer(3), expected: epoch(70_000) },
}

test('change 16 is read as it was written, and written as it was', t => {
  const stored = JSON.parse(readFileSync(FIXTURE, 'utf8')) as Record<string, string>
  const hex = stored['shard-promoted'] ?? ''
  t.deepEqual(decodeChange(Buffer.from(hex, 'hex')), PROMOTED)
  t.equal(Buffer.from(encodeChange(PROMOTED)).toString('hex'), hex)
  t.end()
})
