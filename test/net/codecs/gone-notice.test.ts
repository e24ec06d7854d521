// The word that a process has ended counts only as its server has signed it, of that one start.
import test from 'tape'
import { incarnation } from '../../../src/base/brands.js'
import { goneNotice, isSigned } from '../../../src/net/codecs/gone-notice.js'
import { keyPairFromSeed, peerIdOf } from '../../../src/net/identity.js'

const keys = keyPairFromSeed(new Uint8Array(32).fill(1))
const other = keyPairFromSeed(new Uint8Array(32).fill(2))

test('only the identity that it names can have said it', t => {
  const notice = goneNotice(keys, incarnation(7))
  t.equal(notice.server, peerIdOf(keys.publicKey))
  t.ok(isSigned(notice))
  t.notOk(isSigned({ ...notice, server: peerIdOf(other.publicKey) }), 'of another server')
  const forged = goneNotice(other, incarnation(7))
  t.notOk(isSigned({ ...forged, server: notice.server }), 'by another server')
  t.end()
})

test('it is of one start', t => {
  const notice = goneNotice(keys, incarnation(7))
  t.notOk(isSigned({ ...notice, incarnation: incarnation(8) }))
  t.end()
})

test('a signature that is none', t => {
  const notice = goneNotice(keys, incarnation(7))
  for (const length of [0, 63, 65]) {
    t.notOk(isSigned({ ...notice, signature: new Uint8Array(length) }), `${length} bytes`)
  }
  for (const at of [0, 31, 63]) {
    const signature = notice.signature.slice()
    signature[at]! ^= 1
    t.notOk(isSigned({ ...notice, signature }), `bit 0 of byte ${at}`)
  }
  t.end()
})
