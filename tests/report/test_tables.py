from avatar_exp.report.tables import short


def test_an_embedder_is_named_without_owner_folder_and_commit():
    assert short(f"facebook/dinov2-base@{'0a' * 20} of faces") == "dinov2-base of faces"
    assert short("/somewhere/a@b/identity") == "identity"
    assert short("") == ""
