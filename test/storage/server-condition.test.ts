// Catching up is gentle: it has a bandwidth, and a quarter of it while clients ask for something.
import test from 'tape'
import { silentLog } from '../../src/base/log.js'
import { RECOVERY_BYTES_BESIDE_CLIENTS, RECOVERY_BYTES_PER_SECOND } from '../../src/base/limits.js'
import { createHost } from '../../src/storage/server-condition.js'
import type { StorageServerOptions } from '../../src/storage/storage-server-options.js'
import { VirtualClock } from '../simulator/virtual-clock.js'

test('what is copied beyond a second worth waits, longer beside clients', async t => {
  const clock = new VirtualClock()
  let quiet = true
  const options = {
    ...{ clock, log: silentLog, peers: { self: 'a' }, self: { incarnation: 1 } },
  } as unknown as StorageServerOptions
  const server = {
    dispatch: () => undefined,
    propose: () => undefined,
    suspend: () => undefined,
    sealed: () => undefined,
    leaseValid: () => true,
    fenced: () => false,
  }
  const { host } = createHost(options, server, () => quiet)
  t.equal(host.recoveryPause(RECOVERY_BYTES_PER_SECOND), 0)
  t.equal(host.recoveryPause(RECOVERY_BYTES_PER_SECOND / 2), 500)
  await clock.advance(10_000)
  quiet = false
  t.equal(host.recoveryPause(RECOVERY_BYTES_BESIDE_CLIENTS), 0)
  t.equal(host.recoveryPause(RECOVERY_BYTES_BESIDE_CLIENTS), 1_000)
  t.end()
})
