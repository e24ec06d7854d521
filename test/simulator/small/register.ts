// Imported before anything else (`node --import tsx --import` this file): from then on whoever
// imports the limits of swarmdisk gets the small ones.
import { register } from 'node:module'

register('./hook.ts', import.meta.url)
