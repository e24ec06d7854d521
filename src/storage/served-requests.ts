// What this start of the server has served to clients: requests that were executed, and their
// bytes. Requests of other servers, refusals, repairs and what was asked about indexes are not
// counted. For `status`.
import { byteCount, type ByteCount } from '../base/brands.js'
import type { ServedReport } from '../net/messages.js'
import type { ClientRequest } from './replica/replica-context.js'

export class ServedRequests {
  #reads = 0
  #writes = 0
  #flushes = 0
  #bytesRead = 0
  #bytesWritten = 0

  count(request: ClientRequest): void {
    switch (request.kind) {
      case 'read':
        this.#reads++
        this.#bytesRead += request.request.length
        break
      case 'held-blocks':
        break
      case 'write':
        this.#writes++
        this.#bytesWritten += request.request.payload.length
        break
      case 'flush':
        this.#flushes++
    }
  }

  report(): ServedReport {
    return {
      reads: this.#reads,
      writes: this.#writes,
      flushes: this.#flushes,
      bytesRead: capped(this.#bytesRead),
      bytesWritten: capped(this.#bytesWritten),
    }
  }
}

/** At 10 GB/s it takes ten days to get there. */
function capped(bytes: number): ByteCount {
  return byteCount(Math.min(bytes, Number.MAX_SAFE_INTEGER - 1))
}
