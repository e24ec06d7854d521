// Acknowledged writes that are gone for good. All FLUSHes that were under way when it happened say
// so, because each of them may have to cover what was lost, or else the next one does; then it has
// been said. Pure.
import type { SwarmdiskError } from '../../base/errors.js'

export class Losses {
  #count = 0
  /** So many of them have been said. */
  #said = 0
  /** The first that has not been said when it happened. */
  #error: SwarmdiskError | null = null

  /** True: nothing was waiting to be said. */
  note(error: SwarmdiskError): boolean {
    const first = this.#count === this.#said
    if (first) this.#error = error
    this.#count++
    return first
  }

  /** A FLUSH begins; the function returned is for its end, and tells what it has to say. */
  flush(): () => SwarmdiskError | null {
    const said = this.#said
    return () => {
      const lost = this.#count > said ? this.#error : null
      this.#said = this.#count
      return lost
    }
  }
}
