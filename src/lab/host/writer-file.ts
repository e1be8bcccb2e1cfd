/** Tells a disk writer its file. */
export const FILE_VARIABLE = "LONGPOLE_LAB_WRITER_FILE";
