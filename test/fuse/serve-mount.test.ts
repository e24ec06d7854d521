import test from 'tape'
import { systemClock } from '../../src/base/clock.js'
import { isSwarmdiskError, SwarmdiskError } from '../../src/base/errors.js'
import { silentLog, type Log, type LogFields } from '../../src/base/log.js'
import { FileOperations } from '../../src/fuse/file-operations.js'
import { serveMount, type TransportChoice, type TransportName } from '../../src/fuse/serve-mount.js'
import type { Transport } from '../../src/fuse/transport.js'
import { host } from '../helpers/fuse-server.js'
import { MemoryDriver } from '../helpers/memory-driver.js'

async function serve(
  choice: TransportChoice,
  possible: readonly TransportName[],
): Promise<{ readonly served: string; readonly warnings: readonly string[] }> {
  const warnings: string[] = []
  const log: Log = {
    ...silentLog,
    warn: (message: string, fields?: LogFields) => {
      warnings.push(`${message}: ${String(fields?.['reason'])}`)
    },
  }
  const operations = new FileOperations({ driver: new MemoryDriver(), clock: systemClock })
  const base = { choice, operations, mountPoint: '/mnt', host, clock: systemClock, log }
  const make = (name: TransportName): Transport => ({
    mount: () =>
      possible.includes(name)
        ? Promise.resolve()
        : Promise.reject(new SwarmdiskError('environment', `no ${name} here`)),
    closed: Promise.resolve(),
    unmount: () => Promise.resolve(),
  })
  try {
    return { served: (await serveMount(base, make)).name, warnings }
  } catch (error) {
    if (!isSwarmdiskError(error, 'environment')) throw error
    return { served: error.message, warnings }
  }
}

test('which transport serves', async t => {
  t.deepEqual(await serve('auto', ['kernel', 'fuse-native']), { served: 'kernel', warnings: [] })
  const fallback = await serve('auto', ['fuse-native'])
  t.equal(fallback.served, 'fuse-native')
  t.match(fallback.warnings.join(), /not possible here.*no kernel here/, 'and why is said')
  t.equal((await serve('kernel', ['kernel', 'fuse-native'])).served, 'kernel')
  t.equal((await serve('kernel', ['fuse-native'])).served, 'no kernel here', 'asked for: no other')
  t.equal((await serve('fuse-native', ['kernel', 'fuse-native'])).served, 'fuse-native')
  t.equal((await serve('auto', [])).served, 'no fuse-native here')
})
