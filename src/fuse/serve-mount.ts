// Which transport serves a mount. By default the kernel transport, which is several times as fast
// and has TRIM, and libfuse where that one is not possible; who asks for one gets it, or the reason
// why not.
import type { Clock } from '../base/clock.js'
import { isSwarmdiskError } from '../base/errors.js'
import type { Log } from '../base/log.js'
import type { FileOperations } from './file-operations.js'
import { FuseNativeTransport } from './fuse-native-transport.js'
import { KernelTransport } from './kernel/kernel-transport.js'
import type { Transport } from './transport.js'
import type { MountHost } from './unmount.js'

export const TRANSPORT_CHOICES = ['auto', 'kernel', 'fuse-native'] as const
export type TransportChoice = (typeof TRANSPORT_CHOICES)[number]
export type TransportName = Exclude<TransportChoice, 'auto'>

export interface ServeMountOptions {
  readonly choice: TransportChoice
  readonly operations: FileOperations
  /** As prepareMountPoint() gave it. */
  readonly mountPoint: string
  readonly host: MountHost
  readonly clock: Clock
  readonly log: Log
}

export interface ServedMount {
  readonly transport: Transport
  readonly name: TransportName
}

/** Mounted when it resolves. Fails as Transport.mount() does. */
export async function serveMount(
  options: ServeMountOptions,
  make: (name: TransportName) => Transport = name => makeTransport(name, options),
): Promise<ServedMount> {
  const { choice, log, mountPoint } = options
  const serve = async (name: TransportName): Promise<ServedMount> => {
    const transport = make(name)
    await transport.mount()
    log.info('mounted', { mountPoint, transport: name })
    return { transport, name }
  }
  if (choice !== 'auto') return serve(choice)
  try {
    return await serve('kernel')
  } catch (error) {
    if (!isSwarmdiskError(error)) throw error
    log.warn('the kernel transport is not possible here, libfuse is used', {
      mountPoint,
      reason: error.message,
    })
    return serve('fuse-native')
  }
}

function makeTransport(name: TransportName, options: ServeMountOptions): Transport {
  return name === 'kernel' ? new KernelTransport(options) : new FuseNativeTransport(options)
}
