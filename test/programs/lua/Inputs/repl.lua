-- Evaluates each line of stdin and answers with one line. What a line made
-- stays for the next: tables, functions, coroutines.
io.stdout:setvbuf("line")
for line in io.lines() do
  local chunk, message = load("return " .. line)
  if not chunk then chunk, message = load(line) end
  if chunk then
    local result = table.pack(pcall(chunk))
    print(table.unpack(result, 2, result.n))
  else
    print(message)
  end
end
